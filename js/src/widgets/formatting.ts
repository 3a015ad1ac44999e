// Numbers, durations and prices as text, formatted as in Python.

const COUNT = new Intl.NumberFormat("en-US");
const MINUTE = 60_000;
// As in chatnb/terminal.py: characters that are not shown, or turn the reading direction.
const UNSEEN =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\ufff9-\ufffb\p{Default_Ignorable_Code_Point}]/gu;

/** A time in milliseconds: 4 ms, 1.24 s, 12.4 s, 2 min 05 s. */
export function duration(milliseconds: number): string {
  if (milliseconds < 1) return "< 1 ms";
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 9_995) return `${(milliseconds / 1000).toFixed(2)} s`;
  if (milliseconds < 59_950) return `${(milliseconds / 1000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}

/** A line of the axis: 0, 20 ms, 1.5 s, 2 min. */
export function tick(milliseconds: number): string {
  if (milliseconds === 0) return "0";
  if (milliseconds < 1000) return `${Number(milliseconds.toPrecision(3))} ms`;
  if (milliseconds < 2 * MINUTE) return `${Number((milliseconds / 1000).toPrecision(4))} s`;
  return `${Number((milliseconds / MINUTE).toPrecision(3))} min`;
}

export function count(number: number): string {
  return COUNT.format(number);
}

/** So many of something: 1 run, 2 runs. */
export function counted(number: number, noun: string): string {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A price in US dollars; cents are too coarse for one call. */
export function price(dollars: number, digits = dollars >= 1 ? 2 : 4): string {
  const least = 10 ** -digits;
  if (dollars > 0 && dollars < least / 2) return `< $${least.toFixed(digits)}`;
  return `$${dollars.toFixed(digits)}`;
}

/** The number of decimals that some prices need to be compared at a glance. */
export function priceDigits(prices: readonly (number | null)[]): number {
  return prices.some((dollars) => dollars && dollars < 0.001) ? 6 : 4;
}

/** A text with escapes for control characters and others that are not seen. */
export function withVisibleControls(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    if (code.length > 4) return `\\U${code.padStart(8, "0")}`;
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
