// In place of linkify-it: bare addresses are found by a rule of parser.ts.

export class LinkifyIt {}
