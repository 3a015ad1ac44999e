// Drawings of one path on a square of twelve units, in the colour of the text around them.

const SVG = "http://www.w3.org/2000/svg";

export function drawing(path: string, className: string): SVGElement {
  const made = document.createElementNS(SVG, "svg");
  const shape = document.createElementNS(SVG, "path");
  made.setAttribute("class", className);
  made.setAttribute("viewBox", "0 0 12 12");
  made.setAttribute("aria-hidden", "true");
  shape.setAttribute("d", path);
  made.append(shape);
  return made;
}
