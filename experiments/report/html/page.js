"use strict";
(() => {
  // Tables: a head sorts its column within each group of rows, up, down and back again.
  const order = new WeakMap();

  const keyOf = (cell) => {
    const number = cell.dataset.sort;
    return number === undefined ? cell.textContent.trim() : Number(number);
  };

  const compare = (first, second) => {
    const numbers = (typeof first === "number") + (typeof second === "number");
    // numbers come before texts: what was measured before what was not
    if (numbers === 1) return typeof first === "number" ? -1 : 1;
    if (numbers === 2) return first - second;
    return first.localeCompare(second, "en", { numeric: true });
  };

  const sortBy = (table, column, direction) => {
    for (const body of table.tBodies) {
      if (!order.has(body)) order.set(body, [...body.rows]);
      const all = order.get(body);
      const heads = all.filter((row) => row.classList.contains("group"));
      const rows = all.filter((row) => !row.classList.contains("group"));
      if (direction !== "none") {
        const sign = direction === "descending" ? -1 : 1;
        const keys = new Map(rows.map((row) => [row, keyOf(row.cells[column])]));
        const unit = (row) => (column ? row.dataset.unit || "" : "");
        rows.sort((first, second) => {
          // seconds are not compared with bytes
          const apart = unit(first).localeCompare(unit(second));
          if (apart) return apart;
          const [a, b] = [keys.get(first), keys.get(second)];
          return typeof a === typeof b ? sign * compare(a, b) : compare(a, b);
        });
      }
      body.append(...heads, ...rows);
    }
  };

  const next = { none: "ascending", ascending: "descending", descending: "none" };

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.setAttribute("aria-sort", "none");
      head.querySelector("button").addEventListener("click", () => {
        const direction = next[head.getAttribute("aria-sort")];
        for (const other of heads) other.setAttribute("aria-sort", "none");
        head.setAttribute("aria-sort", direction);
        sortBy(table, column, direction);
      });
    });
  }

  // Charts: drawn in the colours of the page, and again when these change.
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const charts = [...document.querySelectorAll("figure.chart")];
  const views = new Map();
  let turn = 0;

  const draw = async (figure) => {
    const specs = JSON.parse(figure.querySelector("script").textContent);
    const spec = dark.matches ? { ...specs.light, ...specs.dark } : specs.light;
    // what holds the chart needs its width before the chart asks for it
    figure.classList.add("drawn");
    try {
      const options = {
        actions: false,
        ast: true,
        renderer: "svg",
        tooltip: { theme: dark.matches ? "dark" : "light" },
      };
      const drawn = await window.vegaEmbed(figure.querySelector(".live"), spec, options);
      views.get(figure)?.finalize();
      views.set(figure, drawn);
    } catch (error) {
      // the image stays in its place
      figure.classList.remove("drawn");
      console.error(error);
    }
  };

  const drawAll = async () => {
    const mine = ++turn;
    for (const figure of charts) {
      if (mine !== turn) return;
      await draw(figure);
    }
    document.documentElement.dataset.charts = "drawn";
  };

  dark.addEventListener("change", drawAll);
  drawAll();

  // On paper nothing can be opened.
  const closed = [];
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("details[data-print]:not([open])")) {
      one.open = true;
      closed.push(one);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const one of closed.splice(0)) one.open = false;
  });
})();
