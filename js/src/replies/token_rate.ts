// The speed at which a page sees a reply come.

/** About as many characters are a token of the usual models. */
const CHARACTERS_PER_TOKEN = 4;

export class TokenRate {
  private firstAt: number | null = null;
  private characters = 0;

  get hasBegun(): boolean {
    return this.firstAt !== null;
  }

  /** So much more of the reply has come. */
  add(characters: number): void {
    this.firstAt ??= performance.now();
    this.characters += characters;
  }

  /** Tokens a second, about; null until they have come for a second. */
  get perSecond(): number | null {
    if (this.firstAt === null) return null;
    const seconds = (performance.now() - this.firstAt) / 1000;
    return seconds < 1 ? null : this.characters / CHARACTERS_PER_TOKEN / seconds;
  }
}
