// The box over the photo: mouse, touch and pen through pointer events; keyboard through arrow keys.
const LEAST = 0.1; // share of a side the box keeps
const STEP = 0.03; // share of a side one key press moves
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] }; // which of x0 y0 x1 y1 a corner moves

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export class CropBox {
  /** @param {string} label said of the box @param {string} corner said of a corner @param {() => void} changed */
  constructor(label, corner, changed) {
    this.changed = changed;
    this.element = document.createElement("div");
    this.element.className = "sv-crop";
    this.element.tabIndex = 0;
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", label);
    this.element.addEventListener("keydown", (event) => this.key(event, event.shiftKey ? "se" : "all"));
    this.drag(this.element, "all");
    for (const name of Object.keys(CORNERS)) {
      const handle = document.createElement("button");
      handle.type = "button";
      handle.className = `sv-handle sv-${name}`;
      handle.setAttribute("aria-label", corner);
      handle.addEventListener("keydown", (event) => this.key(event, name));
      this.drag(handle, name);
      this.element.append(handle);
    }
    this.reset();
  }

  reset() {
    this.place([0, 0, 1, 1]);
  }

  box() {
    return [...this.corners];
  }

  isWhole() {
    return this.corners[0] < 0.005 && this.corners[1] < 0.005 && this.corners[2] > 0.995 && this.corners[3] > 0.995;
  }

  place(corners) {
    this.corners = corners;
    const [x0, y0, x1, y1] = corners;
    Object.assign(this.element.style, { left: `${x0 * 100}%`, top: `${y0 * 100}%`, width: `${(x1 - x0) * 100}%`, height: `${(y1 - y0) * 100}%` });
  }

  /** Move a corner, or the whole box, from a start by dx, dy (shares of the photo). */
  move(part, start, dx, dy) {
    const next = [...start];
    if (part === "all") {
      dx = clamp(dx, -start[0], 1 - start[2]);
      dy = clamp(dy, -start[1], 1 - start[3]);
      this.place([start[0] + dx, start[1] + dy, start[2] + dx, start[3] + dy]);
      return;
    }
    const [ix, iy] = CORNERS[part];
    next[ix] = ix === 0 ? clamp(start[0] + dx, 0, start[2] - LEAST) : clamp(start[2] + dx, start[0] + LEAST, 1);
    next[iy] = iy === 1 ? clamp(start[1] + dy, 0, start[3] - LEAST) : clamp(start[3] + dy, start[1] + LEAST, 1);
    this.place(next);
  }

  key(event, part) {
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(part, this.corners, arrow[0] * STEP, arrow[1] * STEP);
    this.changed();
  }

  drag(target, part) {
    target.addEventListener("pointerdown", (down) => {
      if (down.button) return;
      down.preventDefault();
      down.stopPropagation();
      target.focus();
      target.setPointerCapture(down.pointerId);
      const frame = this.element.parentElement.getBoundingClientRect();
      const start = this.corners;
      const on = (event) => this.move(part, start, (event.clientX - down.clientX) / frame.width, (event.clientY - down.clientY) / frame.height);
      const off = () => {
        target.removeEventListener("pointermove", on);
        if (start.some((value, i) => value !== this.corners[i])) this.changed();
      };
      target.addEventListener("pointermove", on);
      target.addEventListener("pointerup", off, { once: true });
      target.addEventListener("pointercancel", off, { once: true });
    });
  }
}
