/* Cartesia's own client against a server that says it is Cartesia: node cartesia_sdk.cjs URL
 * http|websocket TEXT... Prints the audio of each text, and for the WebSocket all that came. */
const path = require("path");
const peers = path.join(__dirname, "../../build/peers/node_modules");
const { Cartesia } = require(path.join(peers, "@cartesia/cartesia-js"));

const [url, wire, ...texts] = process.argv.slice(2);
const client = new Cartesia({ apiKey: "sk_car_" + "x".repeat(20), baseURL: url, maxRetries: 0 });
const how = {
  model_id: "sonic-3.5",
  voice: { mode: "id", id: "f786b574-daa5-4673-aa0c-cbe3e8534c02" },
  language: "en",
  output_format: { container: "raw", encoding: "pcm_s16le", sample_rate: 24000 },
};

async function overHttp() {
  const heard = [];
  for (const transcript of texts) {
    const response = await client.tts.generate({ ...how, transcript });
    heard.push(Buffer.from(await response.arrayBuffer()).toString("base64"));
  }
  return { heard };
}

async function overWebSocket() {
  const ws = await client.tts.websocket();
  const context = ws.context({ ...how, add_phoneme_timestamps: true });
  const events = [];
  for (const text of texts) await context.push({ transcript: text });
  await context.no_more_inputs();
  for await (const event of context.receive()) events.push(event);
  ws.close();
  return { events };
}

(wire === "http" ? overHttp() : overWebSocket()).then(
  (all) => {
    process.stdout.write(JSON.stringify(all), () => process.exit(0));
  },
  (e) => {
    console.error(e);
    process.exit(1);
  },
);
