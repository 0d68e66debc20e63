// A recording, made here or chosen as a file: heard, measured and judged roughly before anything is sent.
// Whatever it comes from, it ends up in the form's own file input, so that sending it needs no script of its own.

import { draw, Peaks } from "./wave.js";
import { fill } from "./words.js";

const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const QUIET = -42; // dBFS of a reading voice, by ear at an arm's length from a laptop
const LOUD = -3; // dBFS of the peak
const SILENT = 0.002; // of full scale

export function mountRecording(root) {
  if (root.dataset.mounted) return;
  root.dataset.mounted = "true";
  const find = (name) => root.querySelector(`[data-${name}]`);
  const words = root.dataset;
  const input = find("file");
  let recording = null;

  const rules = () => ({
    shortest: Number(words.shortest) || 0,
    longest: Number(words.longest) || Infinity,
    low: Number(words.advisedLow) || 0,
    high: Number(words.advisedHigh) || 0,
  });

  // --- a file ---

  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0], input.files[0].name);
  });
  const zone = find("dropzone");
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  for (const kind of ["dragleave", "drop"]) zone.addEventListener(kind, () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) put(event.dataTransfer.files[0]);
  });

  function put(file, name = file.name) {
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    take(file, name);
  }

  async function take(file, name) {
    const most = Number(words.mostBytes);
    find("file-trouble").textContent = "";
    if (file.size > most) {
      find("file-trouble").textContent = fill(words.wordsTooLarge, { megabytes: Math.floor(most / 1048576) });
      input.value = "";
      changed();
      return;
    }
    find("name").textContent = name;
    find("size").textContent = sized(file.size);
    const player = find("player");
    if (player.src) URL.revokeObjectURL(player.src);
    player.src = URL.createObjectURL(file);
    find("choose").hidden = true;
    find("chosen").hidden = false;
    find("verdict").textContent = "";
    changed();
    await examine(file);
  }

  async function examine(file) {
    const canvas = find("wave");
    try {
      const audio = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(await file.arrayBuffer());
      const peaks = new Peaks(audio.sampleRate).add(audio.getChannelData(0));
      canvas.hidden = false;
      draw(canvas, peaks);
      say(audio.duration, Math.max(...peaks));
    } catch {
      canvas.hidden = true;
      find("verdict").textContent = words.wordsUnknown;
    }
  }

  function say(length, peak) {
    const { shortest, longest, low, high } = rules();
    const figures = { seconds: length.toFixed(1), shortest, longest: Math.floor(longest), low, high };
    const fits = length >= low && length <= high + 1;
    const kind =
      peak < SILENT ? "Silent" : length < shortest ? "TooShort" : length > longest ? "TooLong" : fits ? "Good" : "Fair";
    const verdict = find("verdict");
    verdict.textContent = fill(words[`words${kind}`], figures);
    verdict.classList.toggle("text-danger", kind !== "Good" && kind !== "Fair");
  }

  find("again").addEventListener("click", () => {
    input.value = "";
    find("player").pause();
    find("chosen").hidden = true;
    find("choose").hidden = false;
    changed();
  });

  function changed() {
    root.dispatchEvent(new CustomEvent("recording:changed", { bubbles: true }));
  }

  // --- the microphone ---

  const button = find("record");
  if (!window.isSecureContext || !navigator.mediaDevices || !window.MediaRecorder) {
    button.disabled = true;
    find("trouble").textContent = words.wordsInsecure;
  }
  button.addEventListener("click", () => (recording ? recording.stop() : start()));

  // Chosen before this script was here.
  if (input.files.length) take(input.files[0], input.files[0].name);

  async function start() {
    find("trouble").textContent = "";
    let stream;
    try {
      // Suppression and cancellation bend the very timbre that is to be learnt.
      const wanted = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
      stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
    } catch (error) {
      find("trouble").textContent = error.name === "NotFoundError" ? words.wordsNoMicrophone : words.wordsDenied;
      return;
    }
    const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each)) || "";
    const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: 128000 });
    const pieces = [];
    const meter = metering(stream);
    const began = performance.now();
    const clock = window.setInterval(() => tick((performance.now() - began) / 1000), 100);
    recorder.addEventListener("dataavailable", (event) => pieces.push(event.data));
    recorder.addEventListener("stop", () => {
      window.clearInterval(clock);
      meter.close();
      for (const track of stream.getTracks()) track.stop();
      recording = null;
      show(false);
      const kind = recorder.mimeType.split(";")[0];
      const ending = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" }[kind] || "webm";
      put(new File(pieces, `recording.${ending}`, { type: kind }), words.wordsRecorded);
    });
    recorder.start(1000);
    recording = recorder;
    show(true);
    tick(0);
    // On a phone: the text to read and, beneath it, how loud it is.
    if (root.querySelector("[data-texts-of]:not([hidden])")) root.scrollIntoView({ block: "start", behavior: "smooth" });
  }

  function show(isRecording) {
    root.classList.toggle("recording", isRecording);
    for (const each of root.querySelectorAll("[data-when-idle]")) each.hidden = isRecording;
    for (const each of root.querySelectorAll("[data-when-recording]")) each.hidden = !isRecording;
    button.setAttribute("aria-label", isRecording ? button.dataset.stopLabel : button.dataset.startLabel);
    const { low, high } = rules();
    const advice = find("advice");
    advice.textContent = fill(advice.dataset.words, { low, high });
  }

  function tick(seconds) {
    const { longest, low, high } = rules();
    find("timer").textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    const bar = find("length-bar");
    bar.classList.toggle("enough", seconds >= low);
    bar.firstElementChild.style.transform = `scaleX(${Math.min(1, seconds / (high || 20))})`;
    if (seconds >= Math.min(longest, 300) - 0.5 && recording) recording.stop();
  }

  function metering(stream) {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 2048 });
    context.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    let frame = 0;
    let smooth = -60;
    const look = () => {
      analyser.getFloatTimeDomainData(samples);
      let sum = 0;
      let peak = 0;
      for (const sample of samples) {
        sum += sample * sample;
        peak = Math.max(peak, Math.abs(sample));
      }
      const level = 10 * Math.log10(sum / samples.length + 1e-9);
      smooth = Math.max(level, smooth - 0.4);
      find("meter").style.transform = `scaleX(${Math.min(1, Math.max(0, (smooth + 60) / 60))})`;
      const loud = 20 * Math.log10(peak + 1e-9) > LOUD;
      const says = loud ? words.wordsLoud : smooth < QUIET ? words.wordsQuiet : words.wordsFine;
      const label = find("level-words");
      if (label.textContent !== says) label.textContent = says;
      frame = window.requestAnimationFrame(look);
    };
    look();
    return {
      close() {
        window.cancelAnimationFrame(frame);
        context.close();
      },
    };
  }
}

export function hasRecording(root) {
  return root.querySelector("[data-file]").files.length > 0;
}

/** How long it should be; `rules` as `Engine.for_the_page` gives them. */
export function adapt(root, rules) {
  Object.assign(root.dataset, {
    shortest: rules.shortest,
    longest: rules.longest,
    advisedLow: rules.advised[0],
    advisedHigh: rules.advised[1],
  });
}

function sized(bytes) {
  return bytes < 1048576 ? `${Math.ceil(bytes / 1024)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}
