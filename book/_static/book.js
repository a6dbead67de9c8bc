// Boxes that scroll sideways can be scrolled with the keyboard too.
const BOXES =
  ".bd-article :is(.pst-scrollable-table-container, div.cell_output, .output, div.math, pre)";

function makeScrollable() {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
  }
}

window.addEventListener("load", makeScrollable);
window.addEventListener("resize", makeScrollable);
