// SPDX-License-Identifier: Apache-2.0

/** docs/performance.svg: a dot plot of microseconds per call on a logarithmic axis, one panel for each payload and operation. */
import { OURS } from '../rivals/index.mjs';
import { bytes, cell, micro } from './report.mjs';

const SIZES = [64, 1024, 8192];
const PANEL = { width: 250, row: 20, top: 26, gap: 34 };
const LEFT = 170; // room for names
const HEAD = 58;

const escapeXml = (text) => text.replace(/[&<>]/g, (c) => `&#${c.charCodeAt(0)};`);

function text(x, y, content, attributes = '') {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${attributes}>${escapeXml(content)}</text>`;
}

export function chart({ calls, contenders, stamp, settings }) {
  if (!calls) throw new Error('the chart needs the table "calls"');
  const sizes = SIZES.filter((size) => settings.sizes.includes(size));
  const figure = (name, where) => {
    const sync = cell(calls, name, { ...where, mode: 'sync' });
    return sync ?? cell(calls, name, { ...where, mode: 'async' });
  };
  const isAsync = (name) => !calls.some((j) => j.contender.name === name && j.mode === 'sync');
  const names = contenders.map((c) => c.name);
  const panels = ['encrypt', 'decrypt'].flatMap((op, row) => sizes.map((size, column) => ({ op, size, row, column })));
  const all = panels
    .flatMap((where) => names.map((name) => figure(name, { op: where.op, size: where.size })?.min))
    .filter(Boolean);
  const from = Math.floor(Math.log10(Math.min(...all) / 1000));
  const to = Math.ceil(Math.log10(Math.max(...all) / 1000));
  const plot = PANEL.width - PANEL.gap - 20;
  const at = (us) => ((Math.log10(us) - from) / (to - from)) * plot;

  const panelHeight = PANEL.top + names.length * PANEL.row + PANEL.gap;
  const width = LEFT + sizes.length * PANEL.width;
  const height = HEAD + 2 * panelHeight + 8;
  const out = [
    text(
      16,
      26,
      'Microseconds per synchronous call, keys hot (logarithmic; left is faster)',
      'font-size="16" font-weight="600"',
    ),
    text(
      16,
      45,
      `${stamp.date.slice(0, 10)} · ${stamp.cpu} · Node ${stamp.node} · fastest of ${settings.trials} trials`,
      'fill="#57606a"',
    ),
  ];
  for (const { op, size, row, column } of panels) {
    const x0 = LEFT + column * PANEL.width;
    const y0 = HEAD + row * panelHeight;
    const bottom = y0 + PANEL.top + names.length * PANEL.row;
    out.push(text(x0, y0 + 15, `${op} ${bytes(size)}`, 'font-weight="600"'));
    for (let power = from; power <= to; power++) {
      const x = x0 + at(10 ** power);
      out.push(
        `<line x1="${x.toFixed(1)}" x2="${x.toFixed(1)}" y1="${y0 + PANEL.top - 3}" y2="${bottom}" stroke="#d0d7de"/>`,
      );
      out.push(text(x, bottom + 14, String(10 ** power), 'text-anchor="middle" fill="#57606a"'));
    }
    names.forEach((name, i) => {
      const y = y0 + PANEL.top + (i + 0.5) * PANEL.row;
      const ours = name === OURS;
      const weight = ours ? 'font-weight="600"' : '';
      if (column === 0)
        out.push(text(LEFT - 14, y + 4, isAsync(name) ? `${name} (async)` : name, `text-anchor="end" ${weight}`));
      const value = figure(name, { op, size });
      if (!value) return;
      const x = x0 + at(value.min / 1000);
      const color = ours ? '#0969da' : '#8c959f';
      out.push(
        `<line x1="${x0}" x2="${x.toFixed(1)}" y1="${y}" y2="${y}" stroke="${color}" stroke-opacity="0.35" stroke-width="${ours ? 4 : 2}"/>`,
      );
      out.push(`<circle cx="${x.toFixed(1)}" cy="${y}" r="${ours ? 5 : 4}" fill="${color}"/>`);
      out.push(text(x + 9, y + 4, micro(value.min), weight));
    });
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#1f2328">
<title>asherah-napi and its rivals: microseconds per call</title>
<rect width="100%" height="100%" fill="#fff"/>
${out.join('\n')}
</svg>
`;
}
