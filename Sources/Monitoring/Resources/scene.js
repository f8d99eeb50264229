// The PushT scene: the goal, the T, the disc and where it is to go. Coordinates are gym-pusht's pixels, y downwards.

import { canvas, colours } from "./elements.js";

const size = 512;
const parts = [
  [[-60, 30], [60, 30], [60, 0], [-60, 0]],
  [[-15, 30], [-15, 120], [15, 120], [15, 30]],
];
const goal = { x: 256, y: 256, angle: Math.PI / 4 };
const agentRadius = 15;
const position = "observation.state";
const keypoints = "observation.environment_state";

// Whether a policy's features are those of PushT: the disc's place, the T's corners or a camera of 96 x 96 pixels, and actions of two numbers.
export function isPushT(policy) {
  if (policy.actionDim !== 2) return false;
  const counts = Object.fromEntries(policy.features.map((feature) => [feature.name, feature.count]));
  if (counts[position] !== 2) return false;
  const others = policy.features.filter((feature) => feature.name !== position);
  const [camera, ...more] = policy.cameras;
  if (others.length === 0) return camera?.height === 96 && camera.width === 96 && more.length === 0;
  return others.length === 1 && counts[keypoints] === 16;
}

export class Scene {
  constructor(node) {
    this.node = node;
    this.clear();
  }

  clear() {
    this.trail = [];
    this.values = null;
    this.plan = null;
    this.command = null;
  }

  observe(values) {
    this.values = values;
    const place = values[position];
    if (place) this.trail.push(place);
    if (this.trail.length > 60) this.trail.shift();
  }

  draw() {
    const drawing = canvas(this.node);
    if (!drawing) return;
    const { context, width, height } = drawing;
    const ink = colours();
    const scale = Math.min(width, height) / size;
    context.save();
    context.translate((width - size * scale) / 2, (height - size * scale) / 2);
    context.scale(scale, scale);
    context.strokeStyle = ink.line;
    context.lineWidth = 3;
    context.strokeRect(5, 5, 501, 501);
    const [cos, sin] = [Math.cos(goal.angle), Math.sin(goal.angle)];
    for (const part of parts) {
      fill(context, part.map(([x, y]) => [goal.x + cos * x - sin * y, goal.y + sin * x + cos * y]), ink.goal);
    }
    const corners = this.values?.[keypoints];
    if (corners?.length === 16) {
      const points = Array.from({ length: 8 }, (_, index) => [corners[2 * index], corners[2 * index + 1]]);
      fill(context, points.slice(0, 4), ink.block);
      fill(context, points.slice(4), ink.block);
    }
    context.strokeStyle = ink.ink;
    context.lineWidth = 2;
    for (let index = 1; index < this.trail.length; index++) {
      context.globalAlpha = 0.45 * (index / this.trail.length);
      context.beginPath();
      context.moveTo(...this.trail[index - 1]);
      context.lineTo(...this.trail[index]);
      context.stroke();
    }
    context.globalAlpha = 1;
    this.drawPlan(context, ink);
    const place = this.values?.[position];
    if (place) {
      disc(context, place, agentRadius, ink.accent);
      context.strokeStyle = ink.panel;
      context.lineWidth = 2;
      context.stroke();
    }
    if (this.command) {
      const [x, y] = this.command;
      context.strokeStyle = ink.command;
      context.lineWidth = 3;
      context.beginPath();
      context.moveTo(x - 8, y);
      context.lineTo(x + 8, y);
      context.moveTo(x, y - 8);
      context.lineTo(x, y + 8);
      context.stroke();
    }
    context.restore();
  }

  // The planned places, fading towards those that are predicted to follow.
  drawPlan(context, ink) {
    if (!this.plan) return;
    const { points, count } = this.plan;
    for (let index = 0; index < points.length; index++) {
      context.globalAlpha = index < count ? 1 - 0.6 * (index / points.length) : 0.22;
      if (index > 0) {
        context.beginPath();
        context.moveTo(...points[index - 1]);
        context.lineTo(...points[index]);
        context.strokeStyle = ink.plan;
        context.lineWidth = 3;
        context.stroke();
      }
      disc(context, points[index], index < count ? 5 : 3, ink.plan);
    }
    context.globalAlpha = 1;
  }
}

function fill(context, points, colour) {
  context.beginPath();
  for (const point of points) context.lineTo(...point);
  context.closePath();
  context.fillStyle = colour;
  context.fill();
}

function disc(context, [x, y], radius, colour) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}
