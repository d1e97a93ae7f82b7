"""A square to draw on. Gradio's own sketchpad needs WebGL, and its user has to choose a tool first."""

import gradio as gr

CSS = """
canvas {display: block; width: 100%; border: 1px solid #9aa5b8; border-radius: 6px; touch-action: none;
        cursor: crosshair}
.tools {display: flex; gap: 8px; margin-top: 8px}
.tools button {padding: 5px 14px; border-radius: 6px; border: 1px solid #9aa5b8; background: transparent;
               color: inherit; cursor: pointer}
"""

# The value is the drawing as the address of a PNG; it is empty as long as nothing is drawn.
SCRIPT = """
const canvas = element.querySelector('canvas'), pen = canvas.getContext('2d', {willReadFrequently: true});
const width = Number(canvas.dataset.pen);
let dark = false, down = false, past = [];
function wipe() {
  pen.fillStyle = dark ? '#000' : '#fff';
  pen.fillRect(0, 0, canvas.width, canvas.height);
  past = [];
  props.value = '';
}
function at(event) {
  const box = canvas.getBoundingClientRect(), scale = canvas.width / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}
canvas.addEventListener('pointerdown', event => {
  canvas.setPointerCapture(event.pointerId);
  past.push(pen.getImageData(0, 0, canvas.width, canvas.height));
  down = true;
  Object.assign(pen, {lineWidth: width, lineCap: 'round', lineJoin: 'round', strokeStyle: dark ? '#fff' : '#000'});
  pen.beginPath();
  pen.moveTo(...at(event));
  pen.lineTo(...at(event));
  pen.stroke();
});
canvas.addEventListener('pointermove', event => {
  if (!down) return;
  pen.lineTo(...at(event));
  pen.stroke();
});
for (const name of ['pointerup', 'pointercancel'])
  canvas.addEventListener(name, () => {
    if (down) props.value = canvas.toDataURL();
    down = false;
  });
element.querySelector('.undo').addEventListener('click', () => {
  if (!past.length) return;
  pen.putImageData(past.pop(), 0, 0);
  props.value = past.length ? canvas.toDataURL() : '';
});
element.querySelector('.clear').addEventListener('click', wipe);
element.querySelector('.invert').addEventListener('click', () => { dark = !dark; wipe(); });
wipe();
"""


def sketchpad(side: int, pen: int, name: str) -> gr.HTML:
    """A square with the tools undo, clear and black paper; see `dlcourse.app.pictures.drawn` for its value.

    Args:
        side: pixels of the drawing.
        pen: width of its strokes.
        name: id of the element.
    """
    tools = (("undo", "Undo"), ("clear", "Clear"), ("invert", "Black or white paper"))
    buttons = "".join(f'<button type="button" class="{kind}">{text}</button>' for kind, text in tools)
    canvas = f'<canvas width="{side}" height="{side}" data-pen="{pen}"></canvas>'
    template = f'{canvas}<div class="tools">{buttons}</div>'
    return gr.HTML("", html_template=template, css_template=CSS, js_on_load=SCRIPT, elem_id=name)
