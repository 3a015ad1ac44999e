// Files attached to a message: limits, sizes and how they are shown.
import { icon } from "../../widgets/buttons";
import type { ItemAttachment, Limits } from "../../generated/panel";
import { element } from "../../widgets/html";

export interface Attachment {
  file: File;
  mime: string;
  /** An address of it as a picture in this page; whoever drops the attachment revokes it. */
  picture: string | null;
}

/** Browsers know no type for many files that are text. */
const TEXTS = /\.(py|ipynb|md|txt|csv|tsv|json|jsonl|ya?ml|toml|ini|cfg|sh|sql|r|jl|js|ts|tsx|css|html?|xml|tex|rst|log|c|h|cc|cpp|hpp|java|go|rs|rb|php|scala|kt|swift|diff|patch)$/i;
const KILOBYTE = 1024;
const MEGABYTE = KILOBYTE * KILOBYTE;
/** MIME types of the same files under several names, and names that are written otherwise. */
const NAMES: Readonly<Record<string, string>> = { "X-WAV": "WAV", MPEG: "MP3", WEBP: "WebP" };
const BASE64 = /^[\w+/]+={0,2}$/;
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;
const SOUNDS = /^audio\/(wav|mp3|mpeg|ogg|flac|aac)$/;

export function attach(file: File, limits: Limits): Attachment {
  const mime = mimeOf(file, limits);
  return { file, mime, picture: PICTURES.test(mime) ? URL.createObjectURL(file) : null };
}

export function drop({ picture }: Attachment): void {
  if (picture) URL.revokeObjectURL(picture);
}

/** The reason why a file cannot be attached, or null. */
export function objectionTo(file: File, there: readonly Attachment[], limits: Limits): string | null {
  const { name, size } = file;
  if (!isAllowed(mimeOf(file, limits), limits)) {
    return `${name} is neither text nor a kind of file that can be attached (${typesOf(limits)}).`;
  }
  if (limits.attachment_bytes && size > limits.attachment_bytes) {
    return `${name} has ${bytes(size)}; a file may have ${bytes(limits.attachment_bytes)}.`;
  }
  const sum = there.reduce((total, each) => total + each.file.size, size);
  if (limits.attachments_bytes && sum > limits.attachments_bytes) {
    return `With ${name} the files would have ${bytes(sum)} together; they may have ${bytes(limits.attachments_bytes)}.`;
  }
  return null;
}

/** The limits in words. */
export function limitsIn(limits: Limits): string {
  if (!limits.types.length) return "";
  const { attachment_bytes: each, attachments_bytes: all } = limits;
  const sizes = [each && `${bytes(each)} each`, all && `${bytes(all)} in all`].filter(Boolean);
  return [typesOf(limits), ...sizes].join(", ");
}

/** A size: 812 bytes, 3.4 KB, 12 MB; a kilobyte has 1024 bytes, as in Python's limits. */
export function bytes(size: number): string {
  if (size < KILOBYTE) return `${size} byte${size === 1 ? "" : "s"}`;
  const [unit, divisor] = size < MEGABYTE ? ["KB", KILOBYTE] : ["MB", MEGABYTE];
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
    const name = (kind ?? "").toUpperCase();
    return NAMES[name] ?? name;
  });
  return [...new Set(words)].join(", ");
}

/** A file as it is shown: a picture or an icon, its name and its size. */
interface ShownFile {
  name: string;
  size: number;
  picture: string | null;
}

export function attachedFile({ name, size, picture }: ShownFile): HTMLElement {
  const label = element("span", "chatnb-panel-file-name", name);
  label.title = name;
  return element(
    "span",
    "chatnb-panel-file",
    picture ? pictureOf(picture) : icon("file"),
    label,
    element("span", "chatnb-panel-quiet", bytes(size)),
  );
}

function pictureOf(address: string): HTMLImageElement {
  const made = element("img", "chatnb-panel-picture");
  made.src = address;
  // Its name stands beside it.
  made.alt = "";
  return made;
}

/** The URL of an image that came with an item, or null. */
export function pictureUrl(file: ItemAttachment): string | null {
  return dataUrl(file, PICTURES);
}

/** The URL of a sound that came with an item, or null. */
export function soundUrl(file: ItemAttachment): string | null {
  return dataUrl(file, SOUNDS);
}

function dataUrl({ mime, data }: ItemAttachment, types: RegExp): string | null {
  return data && types.test(mime) && BASE64.test(data) ? `data:${mime};base64,${data}` : null;
}
