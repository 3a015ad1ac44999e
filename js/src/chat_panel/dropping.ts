// Files that are dropped onto the panel.

/** Hand files that are dropped onto `root` to `onFiles`. */
export function takeDrops(root: HTMLElement, onFiles: (files: Iterable<File>) => void): void {
  const over = (event: DragEvent): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    event.dataTransfer.dropEffect = "copy";
    root.toggleAttribute("data-dropping", true);
  };
  const leave = (event: DragEvent): void => {
    const { relatedTarget } = event;
    if (!(relatedTarget instanceof Node && root.contains(relatedTarget))) root.removeAttribute("data-dropping");
  };
  root.addEventListener("dragenter", over);
  root.addEventListener("dragover", over);
  root.addEventListener("dragleave", leave);
  root.addEventListener("drop", (event) => {
    root.removeAttribute("data-dropping");
    const files = event.dataTransfer?.files;
    if (!files?.length) return;
    event.preventDefault();
    event.stopPropagation();
    onFiles(files);
  });
}
