// A square sheet: pointer events cover mouse, pen and finger alike. A stroke is sent when it ends.
const PEN = 0.085;

function render({ model, el }) {
  const box = document.createElement("div");
  box.className = "sheet";
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 560;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "A sheet: draw a digit here");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Clear";
  box.append(canvas, button);
  el.append(box);

  const pen = canvas.getContext("2d");
  let current = null;

  function line(points) {
    pen.beginPath();
    points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x * canvas.width, y * canvas.height));
    if (points.length === 1) pen.lineTo(points[0][0] * canvas.width + 0.1, points[0][1] * canvas.height);
    pen.stroke();
  }

  function draw() {
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.lineWidth = PEN * canvas.width;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = getComputedStyle(canvas).color;
    for (const points of model.get("strokes")) line(points);
    if (current) line(current);
  }

  function place(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const clamp = (value) => Math.min(1, Math.max(0, Math.round(value * 1000) / 1000));
    return [clamp((event.clientX - left) / width), clamp((event.clientY - top) / height)];
  }

  function set(strokes) {
    model.set("strokes", strokes);
    model.save_changes();
    draw();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    current = [place(event)];
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current) return;
    for (const each of event.getCoalescedEvents?.() ?? []) current.push(place(each));
    current.push(place(event));
    draw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, () => {
      if (!current) return;
      const finished = current;
      current = null;
      set([...model.get("strokes"), finished]);
    });
  }
  button.addEventListener("click", () => set([]));
  model.on("change:strokes", draw);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", draw);
  draw();
  return () => {
    model.off("change:strokes", draw);
    dark.removeEventListener("change", draw);
  };
}

export default { render };
