"""Characters without a shape of their own, one of each kind: text may be hidden in them."""

UNSEEN = (
    "\xad",  # Breaks a word.
    "\u034f",  # Joins marks.
    "\u115f",  # Fills a syllable.
    "\u200b",  # A space of no width.
    "\u200d",  # Joins pictures.
    "\u2028",  # Separates lines.
    "\u2060",  # Joins words.
    "\u2064",  # Adds.
    "\u3164",  # Fills.
    "\ufe0f",  # Chooses a form of a picture.
    "\ufeff",  # Marks the order of bytes.
    "\U0001d173",  # Begins a beam of notes.
    "\U000e0041",  # A letter of a tag.
    "\U000e0100",  # Chooses a form of a character.
)
