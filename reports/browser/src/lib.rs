//! A browser without a network, for the tests that open reports in it.
//!
//! [`Browser`] is a headless Chromium that chromedriver runs on loopback: WebDriver's commands are
//! JSON over HTTP, and what WebDriver lacks (no network, no scripts, light or dark) are commands
//! of Chrome's own DevTools protocol, passed on by chromedriver. Its profile is new and gone
//! afterwards.
//!
//! The package is not among the workspace's default members: `cargo test` alone needs no browser.
//!
//! **Source.** W3C WebDriver; <https://chromedevtools.github.io/devtools-protocol/>.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use ureq::Agent;

/// What keeps a page from being looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no chromedriver.
    #[error("chromedriver cannot be run (Debian: apt-get install chromium chromium-driver): {0}")]
    NotInstalled(io::Error),
    /// It does not say where it listens.
    #[error("chromedriver ended before it listened")]
    NotListening,
    /// It does not answer.
    #[error("{command}: {source}")]
    NoAnswer {
        /// What was asked.
        command: String,
        /// Why not.
        source: Box<ureq::Error>,
    },
    /// It refuses.
    #[error("{command}: {message}")]
    Refused {
        /// What was asked.
        command: String,
        /// What it says.
        message: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A browser with one window.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    profile: PathBuf,
    agent: Agent,
    /// The address of chromedriver.
    base: String,
    /// The session's path, once there is one.
    session: String,
}

/// A key that has no character, as WebDriver writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// To the start.
    Home,
    /// To the end.
    End,
    /// A page up.
    PageUp,
    /// To the next control.
    Tab,
    /// Leaves.
    Escape,
    /// Ticks a box.
    Space,
}

impl Key {
    fn code(self) -> char {
        match self {
            Key::Left => '\u{e012}',
            Key::Right => '\u{e014}',
            Key::Home => '\u{e011}',
            Key::End => '\u{e010}',
            Key::PageUp => '\u{e00e}',
            Key::Tab => '\u{e004}',
            Key::Escape => '\u{e00c}',
            Key::Space => ' ',
        }
    }
}

impl Browser {
    /// Starts one whose network is off; its profile is made in `room`.
    pub fn start(room: &Path) -> Result<Browser, Error> {
        let profile = room.join("profile");
        let _ = fs::remove_dir_all(&profile);
        fs::create_dir_all(&profile)?;
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(Error::NotInstalled)?;
        let port = driver.stdout.as_mut().and_then(listens_on);
        let agent = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .new_agent();
        let (base, session) = (String::new(), String::new());
        let mut browser = Browser { driver, profile, agent, base, session };
        browser.base = format!("http://127.0.0.1:{}", port.ok_or(Error::NotListening)?);
        let made = browser.ask("/session", json!({ "capabilities": browser.capabilities() }))?;
        browser.session = format!("/session/{}", made["sessionId"].as_str().unwrap_or_default());
        browser.devtools("Network.enable", json!({}))?;
        let offline = json!({
            "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0
        });
        browser.devtools("Network.emulateNetworkConditions", offline)?;
        Ok(browser)
    }

    fn capabilities(&self) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.display());
        let arguments = [
            "--headless",
            // Without user namespaces, as in a container, there is no sandbox; what is opened here
            // is our own.
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--hide-scrollbars",
            // Nobody listens there.
            "--proxy-server=http://127.0.0.1:1",
            "--proxy-bypass-list=<-loopback>",
            profile.as_str(),
        ];
        json!({ "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        } })
    }

    /// Sends a command, and gives what comes back.
    fn ask(&self, path: &str, body: Value) -> Result<Value, Error> {
        let command = || format!("POST {path} {:.300}", body.to_string());
        let sent = self
            .agent
            .post(format!("{}{}{path}", self.base, self.session))
            .header("content-type", "application/json")
            .send(body.to_string());
        let lost = |source| Error::NoAnswer { command: command(), source: Box::new(source) };
        let mut answer = sent.map_err(lost)?;
        let text = answer.body_mut().with_config().limit(1 << 28).read_to_string().map_err(lost)?;
        let mut value: Value = serde_json::from_str(&text).unwrap_or_default();
        match value["value"]["error"].as_str() {
            None => Ok(value["value"].take()),
            Some(error) => {
                let message = format!("{error}: {}", value["value"]["message"]);
                Err(Error::Refused { command: command(), message })
            }
        }
    }

    /// Sends a command of the DevTools protocol.
    pub fn devtools(&self, command: &str, parameters: Value) -> Result<Value, Error> {
        self.ask("/goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// Opens a page, and waits until it is there. One that differs from the last in its fragment
    /// alone is loaded again as well.
    pub fn open(&self, address: &str) -> Result<(), Error> {
        self.ask("/url", json!({ "url": "about:blank" }))?;
        self.ask("/url", json!({ "url": address })).map(drop)
    }

    /// Runs the body of a function in the page, and gives what it returns.
    pub fn run(&self, script: &str) -> Result<Value, Error> {
        self.ask("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Presses a key, and lets it go.
    pub fn press(&self, key: Key) -> Result<(), Error> {
        let key = key.code().to_string();
        let both = ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key }));
        self.act(json!({ "type": "key", "id": "keys", "actions": both }))
    }

    /// Moves the pointer to a place in the window, in CSS pixels.
    pub fn point(&self, (x, y): (f64, f64)) -> Result<(), Error> {
        self.act(json!({ "type": "pointer", "id": "mouse", "actions": [moved(x, y)] }))
    }

    /// Clicks there.
    pub fn click(&self, (x, y): (f64, f64)) -> Result<(), Error> {
        let (down, up) = (
            json!({ "type": "pointerDown", "button": 0 }),
            json!({ "type": "pointerUp", "button": 0 }),
        );
        self.act(json!({ "type": "pointer", "id": "mouse", "actions": [moved(x, y), down, up] }))
    }

    fn act(&self, source: Value) -> Result<(), Error> {
        self.ask("/actions", json!({ "actions": [source] })).map(drop)
    }

    /// What was logged since this was asked last: `browser` is the console, `performance` all that
    /// the DevTools protocol told.
    pub fn log(&self, kind: &str) -> Result<Vec<Value>, Error> {
        let entries = self.ask("/se/log", json!({ "type": kind }))?;
        Ok(entries.as_array().cloned().unwrap_or_default())
    }

    /// Makes the window so many CSS pixels wide and high.
    pub fn resize(&self, width: u32, height: u32) -> Result<(), Error> {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size).map(drop)
    }

    /// Writes what the window shows as a PNG.
    pub fn screenshot(&self, file: &Path) -> Result<(), Error> {
        let shot = self.devtools("Page.captureScreenshot", json!({ "format": "png" }))?;
        let encoded = shot["data"].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(encoded).map_err(io::Error::other)?;
        Ok(fs::write(file, bytes)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing its last window ends the browser; a driver alone can be killed.
        if !self.session.is_empty() {
            let _ = self.agent.delete(format!("{}{}", self.base, self.session)).call();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

fn moved(x: f64, y: f64) -> Value {
    let (x, y) = (x.round(), y.round());
    json!({ "type": "pointerMove", "duration": 0, "origin": "viewport", "x": x, "y": y })
}

/// The port in `ChromeDriver was started successfully on port 40123.`
fn listens_on(output: impl io::Read) -> Option<u16> {
    let lines = BufReader::new(output).lines().map_while(Result::ok);
    let port = |line: String| {
        line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok()
    };
    lines.filter_map(port).next()
}
