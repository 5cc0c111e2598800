/** A plain page of any value: an object becomes a table of two columns, a list of objects one with a column a field. */
export function renderPage(title: string, value: unknown): string {
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
    `<style>${STYLE}</style></head><body><h1>${escapeHtml(title)}</h1>${renderValue(value)}</body></html>\n`
  );
}

const STYLE =
  'body{font:14px/1.4 system-ui,sans-serif;margin:2em}h1{font-size:1.3em}table{border-collapse:collapse}' +
  'th,td{border:1px solid #8884;padding:.2em .6em;text-align:left;vertical-align:top;' +
  'font-variant-numeric:tabular-nums}';

function renderValue(value: unknown): string {
  if (value === null || value === undefined) return '<i>none</i>';
  if (Array.isArray(value)) return renderList(value);
  if (typeof value === 'object') return renderRecord(value);
  return escapeHtml(String(value));
}

function renderRecord(record: object): string {
  const rows = Object.entries(record).map(
    ([name, value]) => `<tr><th>${escapeHtml(name)}</th><td>${renderValue(value)}</td></tr>`,
  );
  return `<table>${rows.join('')}</table>`;
}

function renderList(items: readonly unknown[]): string {
  if (items.length === 0) return '<i>none</i>';
  const records = items.filter((item) => typeof item === 'object' && item !== null && !Array.isArray(item));
  if (records.length < items.length) return items.map(renderValue).join('<br>');
  const columns = [...new Set(records.flatMap((record) => Object.keys(record as object)))];
  const head = columns.map((column) => `<th>${escapeHtml(column)}</th>`).join('');
  const rows = records.map((record) => {
    const cells = columns.map((column) => `<td>${renderValue((record as Record<string, unknown>)[column])}</td>`);
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<table><tr>${head}</tr>${rows.join('')}</table>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
