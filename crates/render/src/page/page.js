'use strict';
// All is on the page without this; it adds sorting, filtering and opening what a link leads to.

function sortable(table) {
  const body = table.tBodies[0];
  const collator = new Intl.Collator('en', { numeric: true });
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => {
      const isDown = head.getAttribute('aria-sort') === 'ascending';
      heads.forEach((it) => it.removeAttribute('aria-sort'));
      head.setAttribute('aria-sort', isDown ? 'descending' : 'ascending');
      const isNumber = head.classList.contains('n');
      const keyed = Array.from(body.rows, (row) => {
        const text = row.cells[column].textContent;
        return { row, text, number: isNumber ? Number(text.replaceAll(',', '')) : 0 };
      });
      keyed.sort((a, b) => {
        // What is missing stays last, whichever way the rest goes.
        if (!a.text || !b.text) return (a.text ? 0 : 1) - (b.text ? 0 : 1);
        const order = isNumber ? a.number - b.number : collator.compare(a.text, b.text);
        return isDown ? -order : order;
      });
      body.append(...keyed.map((it) => it.row));
    });
  });
}

function filterable(section) {
  const bar = section.querySelector('.filter');
  if (!bar) return;
  const lanes = Array.from(section.querySelectorAll('ol.lanes > li'));
  const rows = Array.from(section.querySelectorAll('table.consumers > tbody > tr'));
  const search = bar.querySelector('input[type=search]');
  const production = bar.querySelector('input.prod');
  const states = Array.from(bar.querySelectorAll('input[value]'));
  const output = bar.querySelector('output');
  let texts = null;
  let pending = 0;
  function apply() {
    pending = 0;
    texts ??= lanes.map((it) => it.textContent.toLowerCase());
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(states.filter((it) => it.checked).map((it) => it.value));
    let count = 0;
    lanes.forEach((lane, index) => {
      const isShown = wanted.has(lane.dataset.s)
        && (!production.checked || 'p' in lane.dataset)
        && words.every((it) => texts[index].includes(it));
      lane.hidden = !isShown;
      rows[index].hidden = !isShown;
      if (isShown) count += 1;
    });
    output.textContent = count === lanes.length ? '' : `${count} of ${lanes.length} shown`;
  }
  bar.addEventListener('input', () => { pending ||= requestAnimationFrame(apply); });
  bar.hidden = false;
  section.addEventListener('lastuse-all', () => {
    search.value = '';
    production.checked = false;
    states.forEach((it) => { it.checked = true; });
    apply();
  });
}

function follow() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.hidden) target.closest('section').dispatchEvent(new Event('lastuse-all'));
  const details = target.matches('li') && target.querySelector('details');
  if (details) details.open = true;
  target.scrollIntoView();
}

document.querySelectorAll('table.sorted').forEach(sortable);
document.querySelectorAll('section.secret').forEach(filterable);
addEventListener('hashchange', follow);
follow();
