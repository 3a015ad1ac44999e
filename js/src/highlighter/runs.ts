// Highlighted code as data: pieces of text with a class, never HTML.

/** The class of a piece of code (empty for plain text) and the piece. */
export type Run = [className: string, text: string];

/** The pieces of `code`, or null if the language is not known. */
export type Highlight = (code: string, language: string) => Run[] | null;
