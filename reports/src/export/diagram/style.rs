//! Colours and forms of a diagram: classes for what stands in it.

use maud::{Markup, html};

use crate::theme;

/// The style sheet.
pub fn sheet() -> String {
    let strokes = [("wal", 0), ("reply", 2), ("keepalive", 3), ("other", 4)];
    let strokes: String = strokes
        .iter()
        .map(|(name, n)| {
            format!(".{name}{{stroke:var(--series-{n})}}.h-{name}{{fill:var(--series-{n})}}")
        })
        .collect();
    format!(
        "{}text{{font-family:{};font-size:22px;fill:var(--text)}}.title{{font-size:30px;\
         font-weight:600}}.muted{{fill:var(--muted)}}.server{{font-weight:600;text-anchor:middle}}\
         .middle{{text-anchor:middle}}.end{{text-anchor:end}}.paper{{fill:var(--paper)}}\
         .line{{stroke:var(--muted);stroke-width:3}}.frozen{{stroke-dasharray:14 8}}\
         .down{{stroke-dasharray:2 10}}.grid{{stroke:var(--grid);stroke-width:2}}\
         .fault{{fill:var(--fault);opacity:.22}}.fault-name{{fill:var(--fault-name)}}\
         .arrow{{fill:none;stroke-width:3}}.keepalive{{stroke-dasharray:10 6}}\
         .again{{stroke-dasharray:4 7}}.stop{{stroke:var(--series-1);stroke-width:5;fill:none}}\
         .aside .arrow{{opacity:.55}}.message:hover .arrow{{stroke-width:6;opacity:1}}\
         .way{{fill:none;stroke:var(--series-1);stroke-width:6;stroke-linejoin:round;opacity:.8}}\
         .label{{pointer-events:none;paint-order:stroke;stroke:var(--paper);stroke-width:7;\
         stroke-linejoin:round}}.step{{fill:var(--paper);stroke:var(--series-1);stroke-width:3}}\
         .number{{font-size:19px;font-weight:600;text-anchor:middle}}.flush{{fill:var(--muted)}}\
         .record{{stroke:var(--muted);stroke-width:3}}\
         .log{{fill:var(--fault-name)}}.bold{{font-weight:600}}{strokes}{}",
        theme::css_variables(),
        theme::FONT,
        stages(),
    )
}

/// The fill of each stage's bar: the wait for standbys is the lightest.
fn stages() -> String {
    let fills = [("service", 4, 90), ("queueing", 3, 90), ("WALWrite", 1, 75), ("WalSync", 1, 100)];
    let fills = fills.into_iter().chain([("SyncRep", 0, 60)]);
    let rule = |(name, n, percent)| {
        format!(
            ".s-{name}{{fill:var(--series-{n});opacity:{}.{:02}}}",
            percent / 100,
            percent % 100
        )
    };
    fills.map(rule).collect()
}

/// The class of a stage's bar.
pub fn of_stage(name: &str) -> String {
    let own = name.rsplit(':').next().unwrap_or(name);
    // `IO:WALSync` up to 16.
    format!("s-{}", if own == "WALSync" { "WalSync" } else { own })
}

/// Heads of arrows.
pub fn heads() -> Markup {
    html! {
        defs {
            @for kind in ["wal", "reply", "keepalive", "other"] {
                marker id=(kind) viewBox="0 0 20 20" refX="19" refY="10" markerWidth="20"
                    markerHeight="20" markerUnits="userSpaceOnUse" orient="auto" {
                    path class={ "h-" (kind) } d="M0 3L20 10L0 17z" {}
                }
            }
        }
    }
}
