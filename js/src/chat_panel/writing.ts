// What fields for messages have in common.

/** Whether a key means that the text is done. While a word is being composed Enter picks it. */
export function isSending(event: KeyboardEvent): boolean {
  const composes = event.isComposing || event.keyCode === 229;
  return event.key === "Enter" && !event.shiftKey && !composes;
}

/** Make a field as high as its text; its style sheet says how high that may be. */
export function fit(field: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}
