// The classes of characters that markdown-it asks for, of which a browser has its own tables.

export const P = /\p{P}/u;
export const S = /\p{S}/u;
