// A file that goes along with a message, and whether it may.
import type { Limits } from "./state";

export interface Attachment {
  file: File;
  mime: string;
  /** An address of it as a picture in this page; whoever drops the attachment revokes it. */
  picture: string | null;
}

/** Browsers know no type for many files that are text. */
const TEXTS = /\.(py|ipynb|md|txt|csv|tsv|json|jsonl|ya?ml|toml|ini|cfg|sh|sql|r|jl|js|ts|tsx|css|html?|xml|tex|rst|log|c|h|cc|cpp|hpp|java|go|rs|rb|php|scala|kt|swift|diff|patch)$/i;
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

export function attach(file: File, limits: Limits): Attachment {
  const mime = mimeOf(file, limits);
  return { file, mime, picture: PICTURES.test(mime) ? URL.createObjectURL(file) : null };
}

export function drop({ picture }: Attachment): void {
  if (picture) URL.revokeObjectURL(picture);
}

/** Why a file may not go along with those that are there, or null. */
export function objectionTo(file: File, there: readonly Attachment[], limits: Limits): string | null {
  const { name, size } = file;
  if (!isAllowed(mimeOf(file, limits), limits)) {
    return `${name} is neither text nor a kind of file that can be attached (${typesOf(limits)}).`;
  }
  if (limits.each && size > limits.each) {
    return `${name} has ${bytes(size)}; a file may have ${bytes(limits.each)}.`;
  }
  const sum = there.reduce((total, each) => total + each.file.size, size);
  if (limits.all && sum > limits.all) {
    return `With ${name} the files would have ${bytes(sum)} together; they may have ${bytes(limits.all)}.`;
  }
  return null;
}

/** The limits in words. */
export function limitsIn({ each, all, types }: Limits): string {
  if (!types.length) return "";
  const sizes = [each && `${bytes(each)} each`, all && `${bytes(all)} in all`].filter(Boolean);
  return [typesOf({ each, all, types }), ...sizes].join(", ");
}

/** A size: 812 bytes, 3.4 KB, 12 MB. */
export function bytes(size: number): string {
  if (size < 1000) return `${size} byte${size === 1 ? "" : "s"}`;
  const [unit, divisor] = size < 1_000_000 ? ["KB", 1000] : ["MB", 1_000_000];
  const value = size / (divisor as number);
  return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)} ${unit}`;
}

function mimeOf({ name, type }: File, limits: Limits): string {
  const plain = type.split(";")[0] ?? "";
  if (plain && isAllowed(plain, limits)) return plain;
  return TEXTS.test(name) ? "text/plain" : plain || "application/octet-stream";
}

function isAllowed(mime: string, { types }: Limits): boolean {
  return types.some((type) => type === mime || (type.endsWith("/*") && mime.startsWith(type.slice(0, -1))));
}

/** "text/*", "image/png" and "image/jpeg" are text, PNG and JPEG. */
function typesOf({ types }: Limits): string {
  const words = types.map((type) => {
    const [family, kind] = type.split("/");
    if (kind === "*") return family === "image" ? "images" : (family ?? "");
    return (kind ?? "").toUpperCase();
  });
  return [...new Set(words)].join(", ");
}
