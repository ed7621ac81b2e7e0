// A table of numbers: every square can be typed into, and is taken as soon as it is a number.
function render({ model, el }) {
  const table = document.createElement("table");
  table.className = "numbers";
  const said = (value) => String(Math.round(value * 1e4) / 1e4);

  function build() {
    table.replaceChildren(
      ...model.get("rows").map((row, i) => {
        const line = document.createElement("tr");
        line.append(...row.map((value, j) => square(value, i, j)));
        return line;
      }),
    );
  }

  function square(value, i, j) {
    const cell = document.createElement("td");
    const input = document.createElement("input");
    input.inputMode = "text"; // A telephone's decimal keys lack the minus sign.
    input.value = said(value);
    input.setAttribute("aria-label", `${model.get("name")}, row ${i}, column ${j}`);
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => {
      const text = input.value.trim().replace("−", "-").replace(",", ".");
      const number = Number(text);
      const good = text !== "" && Number.isFinite(number) && Math.abs(number) <= 1e6;
      input.setAttribute("aria-invalid", String(!good));
      if (!good) return;
      const rows = model.get("rows").map((row) => [...row]);
      rows[i][j] = number;
      model.set("rows", rows);
      model.save_changes();
    });
    cell.append(input);
    return cell;
  }

  build();
  const frame = document.createElement("div");
  frame.className = "numbers-frame";
  frame.append(table);
  el.append(frame);
}

export default { render };
