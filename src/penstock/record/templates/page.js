// Ink and grid of the plots follow the page, light or dark.
const dark = matchMedia("(prefers-color-scheme: dark)");
function ink() {
  const of = name => getComputedStyle(document.documentElement).getPropertyValue(name);
  const [text, line] = [of("--ink"), of("--line")];
  return {"font.color": text, "xaxis.gridcolor": line, "yaxis.gridcolor": line,
    "xaxis.zerolinecolor": line, "yaxis.zerolinecolor": line,
    "hoverlabel.bgcolor": of("--card"), "hoverlabel.font.color": text};
}
// Drawn once all of the page is there, as a plot takes the width that it finds.
async function draw(plot) {
  const {data, layout} = JSON.parse(plot.nextElementSibling.textContent);
  if (layout.showlegend !== false) plot.before(legend(plot, data));
  const drawn = {...layout, showlegend: false}, options = {responsive: true, displayModeBar: false};
  await Plotly.newPlot(plot, data, drawn, options);
  Plotly.relayout(plot, ink());
}
// What plotly is given has no tags, as it would obey them: here they are text again.
function words(name) {
  return name.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
// A legend of buttons: it wraps on a phone, and the keyboard reaches it.
function legend(plot, data) {
  const box = document.createElement("div"), groups = new Map();
  data.forEach((trace, place) => {
    if (trace.name) groups.set(trace.name, [...(groups.get(trace.name) || []), place]);
  });
  for (const [name, places] of groups) {
    const button = document.createElement("button"), {line, marker, fillcolor, visible} = data[places[0]];
    Object.assign(button, {type: "button", textContent: words(name)});
    button.style.setProperty("--swatch", fillcolor || line?.color || marker?.color);
    button.setAttribute("aria-pressed", visible !== "legendonly");
    button.addEventListener("click", () => {
      const shown = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", shown);
      Plotly.restyle(plot, {visible: shown}, places);
    });
    box.append(button);
  }
  box.className = "legend";
  return box;
}
const plots = document.querySelectorAll(".plot");
plots.forEach(draw);
dark.addEventListener("change", () => plots.forEach(plot => Plotly.relayout(plot, ink())));
// A click on a column's head sorts the table by it, and once more the other way round.
function value(row, place) {
  const text = row.cells[place].textContent, number = parseFloat(text.replace(/,/g, ""));
  return Number.isNaN(number) ? text : number;
}
function sort(head) {
  const body = head.closest("table").tBodies[0], place = head.cellIndex;
  const down = head.getAttribute("aria-sort") === "ascending", sign = down ? -1 : 1;
  for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const rows = [...body.rows].sort((one, other) => {
    const [a, b] = [value(one, place), value(other, place)];
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
  });
  body.append(...rows);
}
for (const button of document.querySelectorAll("thead button"))
  button.addEventListener("click", () => sort(button.closest("th")));
