"use strict";
(() => {
  const all = (what, from = document) => [...from.querySelectorAll(what)];
  const one = (id) => document.getElementById(id);

  // Pictures are held once and set where they are looked at.
  const store = one("pictures") ? JSON.parse(one("pictures").textContent) : [];
  const show = (from) => all("img[data-picture]", from).forEach((img) => {
    img.src = store[img.dataset.picture];
    img.removeAttribute("data-picture");
  });
  const toggle = (body, open = !body.classList.contains("open")) => {
    body.classList.toggle("open", open);
    all(".twist", body).forEach((b) => b.setAttribute("aria-expanded", open));
    if (open) show(body);
  };
  all("tr.open-me").forEach((row) => row.addEventListener("click", (event) => {
    if (event.target.closest("a, .command") || String(getSelection())) return;
    toggle(row.parentElement);
  }));
  all("figure.now").forEach(show);

  // A table with a row of buttons above it: filtered, and sorted by any column, empty cells last.
  const state = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  const remember = () => history.replaceState(null, "", "#" + state);
  const set = (key, value) => { value ? state.set(key, value) : state.delete(key); };
  const value = (body, column) => body.rows[0].cells[column].dataset.value ?? body.rows[0].cells[column].textContent.trim();
  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };
  const sort = (table, column, direction) => {
    const sign = direction === "descending" ? -1 : 1;
    const bodies = [...table.tBodies].map((body, place) => [value(body, column), place, body]);
    bodies.sort(([a, i], [b, j]) => (a === "") - (b === "") || (a === "" ? 0 : sign * compare(a, b)) || i - j);
    table.append(...bodies.map((found) => found[2]));
    all("th", table.tHead).forEach((th, i) => th.setAttribute("aria-sort", i === column ? direction : "none"));
  };
  const filter = () => {
    const words = (state.get("q") || "").toLowerCase().split(/\s+/).filter(Boolean);
    all("table[data-filter]").forEach((table) => {
      let shown = 0;
      for (const body of table.tBodies) {
        const text = body.textContent.toLowerCase();
        const fits = words.every((word) => text.includes(word))
          && (!state.get("kind") || !body.dataset.kind || body.dataset.kind === state.get("kind"))
          && (!state.get("area") || !body.dataset.area || body.dataset.area === state.get("area"));
        body.classList.toggle("hidden", !fits);
        shown += fits;
      }
      const note = one(table.id + "-count");
      if (note) note.value = shown === table.tBodies.length ? `${shown} rows` : `${shown} of ${table.tBodies.length} rows`;
    });
    all("[data-kind-button]").forEach((b) => b.setAttribute("aria-pressed", (state.get("kind") || "") === b.dataset.kindButton));
  };
  const sortBy = (table, key) => {
    const column = all("th", table.tHead).findIndex((th) => th.dataset.key === key);
    if (column < 0) return;
    sort(table, column, state.get(table.id + "-dir") || "ascending");
  };

  all("table[data-filter]").forEach((table) => {
    all("th[data-key] button", table.tHead).forEach((button) => button.addEventListener("click", () => {
      const th = button.parentElement;
      set(table.id + "-dir", th.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
      set(table.id + "-sort", th.dataset.key);
      sortBy(table, th.dataset.key);
      remember();
    }));
    if (state.get(table.id + "-sort")) sortBy(table, state.get(table.id + "-sort"));
  });
  all("select[data-sorts]").forEach((select) => select.addEventListener("change", () => {
    const table = one(select.dataset.sorts);
    const [key, direction] = select.value.split(" ");
    set(table.id + "-dir", direction);
    set(table.id + "-sort", key);
    sortBy(table, key);
    remember();
  }));
  for (const key of ["q", "area"]) {
    const field = one(key);
    if (!field) continue;
    field.value = state.get(key) || "";
    field.addEventListener("input", () => { set(key, field.value); filter(); remember(); });
  }
  all("[data-kind-button]").forEach((button) => button.addEventListener("click", () => {
    set("kind", state.get("kind") === button.dataset.kindButton ? "" : button.dataset.kindButton);
    filter();
    remember();
  }));
  filter();

  all(".command button").forEach((button) => button.addEventListener("click", () => {
    const text = button.previousElementSibling.textContent;
    const done = () => { button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1200); };
    const select = () => getSelection().selectAllChildren(button.previousElementSibling);
    navigator.clipboard ? navigator.clipboard.writeText(text).then(done, select) : select();
  }));

  // A link to a run opens it.
  const follow = () => {
    const body = location.hash.includes("=") ? null : one(decodeURIComponent(location.hash.slice(1)));
    if (body && body.tagName === "TBODY") { body.classList.remove("hidden"); toggle(body, true); body.scrollIntoView(); }
  };
  addEventListener("hashchange", follow);
  follow();
})();
