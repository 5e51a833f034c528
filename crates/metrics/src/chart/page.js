"use strict";
// Tells the values of a chart's lines at the place that is pointed at, or gone to with the arrow keys.
(() => {
  const box = document.getElementById("values");
  const theme = document.getElementById("theme");
  const root = document.documentElement;
  theme.value = root.dataset.theme;
  theme.addEventListener("change", () => { root.dataset.theme = theme.value; });

  const number = (value) => {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e7)) return value.toExponential(2);
    return value.toLocaleString("en", { maximumSignificantDigits: size >= 1000 ? 6 : 4 });
  };

  const make = (name, attributes, parent) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };

  const lineOf = (path) => {
    const places = [...path.getAttribute("d").matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)];
    const values = path.dataset.values.split(",").map((pair) => pair.split(" ").map(Number));
    const points = places.map(([, x, y], i) => ({ x: +x, y: +y, at: values[i][0], value: values[i][1] }));
    return { name: path.dataset.name, kind: path.dataset.kind, colour: path.getAttribute("stroke"), points };
  };

  const nearest = (points, x) => points.reduce((best, point) => (Math.abs(point.x - x) < Math.abs(best.x - x) ? point : best));

  for (const panel of document.querySelectorAll(".panel")) {
    const svg = panel.ownerSVGElement;
    const [left, top, width, height] = panel.dataset.frame.split(" ").map(Number);
    const lines = [...panel.querySelectorAll(".line")].map(lineOf);
    const stops = [...new Set(lines.flatMap((line) => line.points.map((point) => point.x)))].sort((a, b) => a - b);
    const categories = panel.dataset.categories && panel.dataset.categories.split("|");
    let marks = null;
    let current = -1;
    panel.setAttribute("tabindex", "0");
    panel.setAttribute("role", "group");
    panel.setAttribute("aria-label", panel.dataset.title);

    const hide = () => {
      marks?.remove();
      marks = null;
      box.hidden = true;
    };

    const row = (line, point) => {
      const element = document.createElement("div");
      const [key, name, value] = ["i", "span", "span"].map((tag) => element.appendChild(document.createElement(tag)));
      key.style.background = line.colour;
      name.textContent = [line.name, line.kind].filter(Boolean).join(", ");
      value.textContent = number(point.value);
      return element;
    };

    const show = (stop) => {
      hide();
      current = stop;
      const x = stops[stop];
      const found = lines.map((line) => [line, nearest(line.points, x)]).filter(([, point]) => Math.abs(point.x - x) < Math.max(6, width / 60));
      marks = make("g", { "pointer-events": "none" }, panel);
      make("path", { d: `M${x} ${top}v${height}`, class: "guide" }, marks);
      for (const [line, point] of found) make("circle", { cx: point.x, cy: point.y, r: 4.5, fill: line.colour, class: "dot" }, marks);
      const heading = document.createElement("b");
      const at = found.find(([, point]) => point.x === x)[1].at;
      heading.textContent = categories ? categories[at] : `${number(at)} ${panel.dataset.xLabel}`;
      box.replaceChildren(heading, ...found.map(([line, point]) => row(line, point)));
      box.hidden = false;
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      const corner = svg.getBoundingClientRect();
      const middle = corner.left + window.scrollX + x * scale;
      const beside = middle + 14 + box.offsetWidth > document.documentElement.clientWidth ? middle - 14 - box.offsetWidth : middle + 14;
      box.style.left = `${Math.max(4, beside)}px`;
      box.style.top = `${corner.top + window.scrollY + (top + 8) * scale}px`;
    };

    const pointed = (event) => {
      const corner = svg.getBoundingClientRect();
      const x = ((event.clientX - corner.left) * svg.viewBox.baseVal.width) / corner.width;
      if (stops.length === 0 || x < left - 8 || x > left + width + 8) return hide();
      const stop = stops.indexOf(nearest(stops.map((x) => ({ x })), x).x);
      if (stop !== current || box.hidden) show(stop);
    };

    panel.addEventListener("pointermove", pointed);
    panel.addEventListener("pointerleave", hide);
    panel.addEventListener("blur", hide);
    panel.addEventListener("keydown", (event) => {
      const last = stops.length - 1;
      const to = { ArrowLeft: Math.max(0, current - 1), ArrowRight: Math.min(last, current + 1), Home: 0, End: last }[event.key];
      if (event.key === "Escape") return hide();
      if (to === undefined || last < 0) return;
      event.preventDefault();
      show(to);
    });
  }
})();
