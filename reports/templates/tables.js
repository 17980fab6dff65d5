"use strict";
// Tables that sort, and buttons that copy.
(() => {
  // Absent values stay last in both sort orders.
  const compare = (a, b) => (a !== "" && b !== "" && !isNaN(a) && !isNaN(b) ? a - b : a.localeCompare(b));
  const sort = (head, column) => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    const body = head.closest("table").tBodies[0];
    const value = (row) => row.cells[column].dataset.value;
    const rows = [...body.rows].sort((a, b) => (value(a) === "") - (value(b) === "") || (up ? 1 : -1) * compare(value(a), value(b)));
    [...head.parentNode.cells].forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  };
  document.querySelectorAll("thead th button").forEach((button) => {
    const head = button.parentNode;
    button.addEventListener("click", () => sort(head, head.cellIndex));
  });

  // A spreadsheet takes a text that begins with one of these signs for a formula.
  const safe = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
  const field = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const flat = (node) => node.textContent.trim().replace(/\s+/g, " ");
  const texts = (cell) => {
    const below = cell.querySelector("small");
    const shown = below ? flat(cell).slice(0, flat(cell).length - flat(below).length).trim() : flat(cell);
    return cell.dataset.value !== undefined && cell.classList.contains("number") ? cell.dataset.value : safe(shown);
  };
  const csv = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => field(texts(cell))).join(",")).join("\n") + "\n";

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };
  const told = document.querySelector("#told");
  document.querySelectorAll("button[data-copies]").forEach((button) => {
    const name = button.textContent;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      await copy(source.tagName === "TABLE" ? csv(source) : source.textContent);
      button.textContent = told.textContent = "Copied";
      setTimeout(() => { button.textContent = name; told.textContent = ""; }, 2000);
    });
  });
})();
