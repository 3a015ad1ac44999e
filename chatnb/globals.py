"""Settings of the process, by LangChain's path."""

from chatnb.lazy_names import lazy_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from chatnb.chat_models.cache import get_llm_cache, set_llm_cache

__all__ = ["get_llm_cache", "set_llm_cache"]

__getattr__, __dir__ = lazy_names(
    __name__, {"chatnb.chat_models.cache": "get_llm_cache set_llm_cache"}
)
