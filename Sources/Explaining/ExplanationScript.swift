extension Explanation {
    /// The page's rules beside those that every page has.
    static let style: StaticString = """
        :root {
          --r0: #86b98f; --r1: #a9d3c6; --r2: #7fbcbb; --r3: #5a9fb0; --r4: #3a74a0; --r5: #35498a; --r6: #2c2460;
          --table: #ffffff; --goal: #e3efe4; --rim: #9cc3a2; --block: #7d93ab; --agent: #c4694b;
        }
        @media screen and (prefers-color-scheme: dark) {
          :root {
            --r0: #4f8a5b; --r1: #2f5f58; --r2: #2f7678; --r3: #3f8fa0; --r4: #66b0cf; --r5: #a3cdf0; --r6: #e4edff;
            --table: #20252a; --goal: #26382b; --rim: #4d7a56; --block: #5f7690; --agent: #de8a6d;
          }
        }
        .panels { display: grid; gap: 2rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 18rem), 1fr)); }
        .panel { min-width: 0; } .panel h3 { color: var(--c); } .panel .note { min-height: 3em; margin: 0 0 .6rem; } .axes { margin: .25rem 0 0; color: var(--soft); font-size: .8rem; }
        .mapped { margin-bottom: .9rem; } .map { height: 13rem; cursor: pointer; shape-rendering: crispEdges; }
        .map .ground { fill: var(--grid); } .map .now { fill: var(--ink); fill-opacity: .16; stroke: var(--ink); stroke-width: 1; vector-effect: non-scaling-stroke; }
        .r0 { fill: var(--r0); --c: var(--r0); } .r1 { fill: var(--r1); --c: var(--r1); } .r2 { fill: var(--r2); --c: var(--r2); }
        .r3 { fill: var(--r3); --c: var(--r3); } .r4 { fill: var(--r4); --c: var(--r4); } .r5 { fill: var(--r5); --c: var(--r5); }
        .r6 { fill: var(--r6); --c: var(--r6); }
        .scene { width: 100%; max-width: 24rem; border: 1px solid var(--line); border-radius: 8px; color: var(--soft); }
        .scene .table { fill: var(--table); } .scene .goal { fill: var(--goal); stroke: var(--rim); stroke-width: 4; }
        .scene .block { fill: var(--block); } .scene .agent { fill: var(--agent); fill-opacity: .55; }
        .scene polyline { fill: none; stroke-linejoin: round; stroke-linecap: round; }
        .scene .plan { stroke: var(--c); stroke-width: 4; } .scene .reference { stroke: var(--ink); stroke-width: 2; stroke-dasharray: 3 7; }
        .state { min-height: 3em; color: var(--soft); font-size: .87rem; }
        .controls {
          position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; margin: 0 0 1.2rem;
          padding: .6rem 0; background: var(--card); border-bottom: 1px solid var(--line);
        }
        .controls[hidden] { display: none; } .controls input { flex: 1 1 10rem; accent-color: var(--s1); }
        .controls button {
          min-width: 4.2rem; padding: .3rem .8rem; border: 1px solid var(--line); border-radius: 7px; background: var(--paper); color: var(--ink); font: inherit;
        }
        .controls output { min-width: 6rem; }
        @media print { .controls { display: none; } }
        """

    /// Moves the marks and the plans; reads nothing but the page.
    static let script: StaticString = """
        'use strict';
        (() => {
          const slider = document.getElementById('pass'), number = document.getElementById('number'), play = document.getElementById('play');
          const panels = [...document.querySelectorAll('.panel')].map((element) => ({
            ...JSON.parse(element.dataset.plans),
            plans: element.querySelectorAll('.plan'), state: element.querySelector('.state'),
            map: element.querySelector('.map'), mark: element.querySelector('.now'),
          }));
          const last = Number(slider.max);
          let timer = 0;
          const show = (pass) => {
            slider.value = pass;
            number.textContent = `${pass} of ${last}`;
            for (const panel of panels) {
              const count = panel.passes.length, index = Math.min(pass, count) - 1;
              const drawn = index === count - 1 ? panel.lines.length - 1 : Math.floor(index / panel.every);
              const [first, end, evaluations, ms, deviation] = panel.passes[index];
              panel.plans.forEach((line, which) => line.setAttribute('points', panel.lines[drawn][which]));
              panel.mark.setAttribute('x', index * panel.mark.width.baseVal.value);
              const steps = end - first > 1 ? `steps ${first + 1} to ${end}` : `step ${end}`;
              panel.state.textContent = index === count - 1
                ? `done after ${count} passes, ${ms.toFixed(1)} ms; deviation ${deviation.toFixed(4)}`
                : `pass ${index + 1} of ${count}: ${steps} of ${panel.steps}, ${evaluations} evaluation${evaluations > 1 ? 's' : ''}; `
                  + `${ms.toFixed(1)} ms so far; deviation ${deviation.toFixed(3)}`;
            }
          };
          const stop = () => { clearInterval(timer); timer = 0; play.textContent = 'Play'; };
          const start = () => {
            if (Number(slider.value) >= last) show(1);
            play.textContent = 'Pause';
            timer = setInterval(() => {
              if (Number(slider.value) >= last) stop(); else show(Number(slider.value) + 1);
            }, Math.max(60, 6000 / last));
          };
          play.addEventListener('click', () => { if (timer) stop(); else start(); });
          slider.addEventListener('input', () => { stop(); show(Number(slider.value)); });
          for (const panel of panels) {
            panel.map.addEventListener('click', (event) => {
              const box = panel.map.getBoundingClientRect();
              stop();
              show(Math.max(1, Math.min(panel.passes.length, Math.ceil((event.clientX - box.left) / box.width * panel.passes.length))));
            });
          }
          document.querySelector('.controls').hidden = false;
          const asked = /^#pass=([0-9]+)$/.exec(location.hash);
          show(asked ? Math.max(1, Math.min(last, Number(asked[1]))) : Math.min(last, Math.ceil(last / 8)));
        })();
        """
}
