// A robot that a `denoised serve` controls, to copy from: Denoised is the client, Body stands in for the arm. The same as
// robot.py, in C++17 with the C interfaces of ZeroMQ and MessagePack.
//
//     apt install g++ make libzmq3-dev libmsgpack-dev
//     make -C examples
//     denoised serve --policy policies/pusht
//     examples/robot
//
// The robot's world does not wait. Every control step it publishes what it sees, and carries out what is planned for that
// step, whether a new chunk is there or not. With --commands it needs no plan of its own: the daemon, started with --robot
// FILE, sends an action for every tick. docs/PROTOCOL.md describes the messages.
//
// Ctrl-C stops the robot: the daemon then sends this robot nothing until somebody starts it with --resume.

#include <msgpack.h>
#include <zmq.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr double heartbeatTimeout = 0.5;  // seconds without a status message, of which ten are sent a second
constexpr double infoInterval = 0.25;     // seconds between two attempts to reach a daemon that is gone
constexpr double commandTimeout = 0.25;   // seconds without a command until the robot holds by itself
constexpr std::int64_t largestMessage = 1 << 20;
constexpr std::uint64_t mostActions = 4096, mostNumbers = 4096, mostFeatures = 256;

using Action = std::vector<float>;
using Observation = std::map<std::string, std::vector<double>>;

struct Failure : std::runtime_error {  // there is no going on
    using std::runtime_error::runtime_error;
};
struct Malformed : std::runtime_error {  // a message that is passed over
    using std::runtime_error::runtime_error;
};

volatile std::sig_atomic_t interrupted = 0;
void onInterrupt(int) { interrupted = 1; }

std::uint64_t clockNs(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return std::uint64_t(time.tv_sec) * 1'000'000'000 + std::uint64_t(time.tv_nsec);
}
std::uint64_t monotonicNs() { return clockNs(CLOCK_MONOTONIC); }
double seconds() { return double(monotonicNs()) * 1e-9; }

template <typename... Parts>
void say(const Parts &...parts) {
    (std::cout << ... << parts) << std::endl;
}

// MessagePack in: every access says what it expects, and throws where it finds something else.

struct Value {
    const msgpack_object *object;

    // The daemon packs the keys of an array as bytes, and all others as strings.
    std::optional<Value> find(const char *name) const {
        expect(MSGPACK_OBJECT_MAP, "a map");
        const std::size_t length = std::strlen(name);
        for (std::uint32_t index = 0; index < object->via.map.size; ++index) {
            const msgpack_object &key = object->via.map.ptr[index].key;
            const bool isText = key.type == MSGPACK_OBJECT_STR || key.type == MSGPACK_OBJECT_BIN;
            const char *bytes = key.type == MSGPACK_OBJECT_STR ? key.via.str.ptr : key.via.bin.ptr;
            const std::uint32_t size = key.type == MSGPACK_OBJECT_STR ? key.via.str.size : key.via.bin.size;
            if (isText && size == length && std::memcmp(bytes, name, length) == 0)
                return Value{&object->via.map.ptr[index].val};
        }
        return std::nullopt;
    }
    Value operator[](const char *name) const {
        if (const auto value = find(name)) return *value;
        throw Malformed(std::string("no field ") + name);
    }
    std::string text() const {
        expect(MSGPACK_OBJECT_STR, "a string");
        return std::string(object->via.str.ptr, object->via.str.size);
    }
    std::uint64_t number() const {
        expect(MSGPACK_OBJECT_POSITIVE_INTEGER, "an integer from 0 up");
        return object->via.u64;
    }
    std::size_t number(std::uint64_t most) const {
        const std::uint64_t found = number();
        if (found > most)
            throw Malformed("found " + std::to_string(found) + ", expected at most " + std::to_string(most));
        return std::size_t(found);
    }
    std::vector<Value> elements() const {
        expect(MSGPACK_OBJECT_ARRAY, "an array");
        std::vector<Value> values;
        for (std::uint32_t index = 0; index < object->via.array.size; ++index)
            values.push_back(Value{&object->via.array.ptr[index]});
        return values;
    }
    // The rows of a packed array of numbers, [steps, size] or [size].
    std::vector<Action> rows(std::size_t size) const {
        const std::vector<Value> shape = (*this)["shape"].elements();
        if ((*this)["dtype"].text() != "<f4" || shape.empty() || shape.size() > 2 || shape.back().number() != size)
            throw Malformed("an array of another type or shape");
        const std::size_t count = shape.size() == 2 ? shape[0].number(mostActions) : 1;
        const Value data = (*this)["data"];
        data.expect(MSGPACK_OBJECT_BIN, "bytes");
        if (data.object->via.bin.size != count * size * 4) throw Malformed("data that its shape does not account for");
        const auto *bytes = reinterpret_cast<const unsigned char *>(data.object->via.bin.ptr);
        std::vector<Action> rows(count, Action(size));
        for (Action &row : rows)
            for (float &number : row) {
                const std::uint32_t bits = std::uint32_t(bytes[0]) | std::uint32_t(bytes[1]) << 8 |
                                           std::uint32_t(bytes[2]) << 16 | std::uint32_t(bytes[3]) << 24;
                std::memcpy(&number, &bits, sizeof number);
                if (!std::isfinite(number)) throw Malformed("a number that is not finite");
                bytes += 4;
            }
        return rows;
    }

private:
    void expect(msgpack_object_type type, const char *what) const {
        if (object->type != type) throw Malformed(std::string("expected ") + what);
    }
};

class Unpacked {
public:
    explicit Unpacked(const std::string &bytes) {
        msgpack_unpacked_init(&result);
        std::size_t end = 0;
        if (msgpack_unpack_next(&result, bytes.data(), bytes.size(), &end) != MSGPACK_UNPACK_SUCCESS ||
            end != bytes.size()) {
            msgpack_unpacked_destroy(&result);
            throw Malformed("no MessagePack");
        }
    }
    ~Unpacked() { msgpack_unpacked_destroy(&result); }
    Unpacked(const Unpacked &) = delete;
    Unpacked &operator=(const Unpacked &) = delete;
    Value root() const { return Value{&result.data}; }

private:
    msgpack_unpacked result;
};

// MessagePack out.

class Packed {
public:
    Packed() {
        msgpack_sbuffer_init(&buffer);
        msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    }
    ~Packed() { msgpack_sbuffer_destroy(&buffer); }
    Packed(const Packed &) = delete;
    Packed &operator=(const Packed &) = delete;

    // A message of `fields` entries besides its version and type.
    Packed &message(const char *type, std::size_t fields) {
        return map(fields + 2).text("v").number(1).text("type").text(type);
    }
    Packed &map(std::size_t size) { return msgpack_pack_map(&packer, size), *this; }
    Packed &array(std::size_t size) { return msgpack_pack_array(&packer, size), *this; }
    Packed &number(std::uint64_t value) { return msgpack_pack_uint64(&packer, value), *this; }
    Packed &real(double value) { return msgpack_pack_double(&packer, value), *this; }
    Packed &flag(bool value) { return value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer), *this; }
    Packed &text(const std::string &value) {
        msgpack_pack_str(&packer, value.size());
        msgpack_pack_str_body(&packer, value.data(), value.size());
        return *this;
    }
    std::string bytes() const { return std::string(buffer.data, buffer.size); }

private:
    msgpack_sbuffer buffer;
    msgpack_packer packer;
};

// ZeroMQ.

struct Keys {  // of CURVE, in Z85
    std::string own, ownSecret, server;
};

class Socket {
public:
    Socket(void *context, int type, const std::string &endpoint, const std::optional<Keys> &keys,
           const std::vector<std::string> &topics = {})
        : handle(zmq_socket(context, type)) {
        if (handle == nullptr) throw Failure(std::string("no socket: ") + zmq_strerror(errno));
        set(ZMQ_LINGER, 0);
        zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &largestMessage, sizeof largestMessage);
        // A peer whose machine lost power closes no connection.
        set(ZMQ_HEARTBEAT_IVL, 500);
        set(ZMQ_HEARTBEAT_TIMEOUT, 1500);
        set(ZMQ_RECONNECT_IVL, 50);
        set(ZMQ_CONNECT_TIMEOUT, 1000);
        bool isSet = true;
        if (keys) {
            isSet =
                zmq_setsockopt(handle, ZMQ_CURVE_PUBLICKEY, keys->own.c_str(), keys->own.size() + 1) == 0 &&
                zmq_setsockopt(handle, ZMQ_CURVE_SECRETKEY, keys->ownSecret.c_str(), keys->ownSecret.size() + 1) == 0 &&
                zmq_setsockopt(handle, ZMQ_CURVE_SERVERKEY, keys->server.c_str(), keys->server.size() + 1) == 0;
        }
        // Before connecting, so that nothing that is sent after it is missed.
        for (const std::string &topic : topics) zmq_setsockopt(handle, ZMQ_SUBSCRIBE, topic.data(), topic.size());
        if (!isSet || zmq_connect(handle, endpoint.c_str()) != 0) {
            const std::string why = zmq_strerror(errno);
            zmq_close(handle);
            throw Failure(endpoint + ": " + why);
        }
    }
    ~Socket() { zmq_close(handle); }
    Socket(const Socket &) = delete;
    Socket &operator=(const Socket &) = delete;

    void *get() const { return handle; }

    // Drops the message rather than wait for room.
    void send(const std::vector<std::string> &frames) const {
        for (std::size_t index = 0; index < frames.size(); ++index) {
            const int more = index + 1 < frames.size() ? ZMQ_SNDMORE : 0;
            if (zmq_send(handle, frames[index].data(), frames[index].size(), ZMQ_DONTWAIT | more) < 0) return;
        }
    }

    // The frames of the next message, none where there is no message.
    std::vector<std::string> receive() const {
        std::vector<std::string> frames;
        bool more = true;
        while (more) {
            zmq_msg_t part;
            zmq_msg_init(&part);
            const bool isThere = zmq_msg_recv(&part, handle, ZMQ_DONTWAIT) >= 0;
            // Of more frames than any message has only the first are kept.
            if (isThere && frames.size() < 3)
                frames.emplace_back(static_cast<const char *>(zmq_msg_data(&part)), zmq_msg_size(&part));
            more = isThere && zmq_msg_more(&part) != 0;
            zmq_msg_close(&part);
        }
        return frames;
    }

private:
    void set(int option, int value) const { zmq_setsockopt(handle, option, &value, sizeof value); }

    void *handle;
};

// What the daemon's policy takes and gives.
struct Policy {
    std::string name;
    std::map<std::string, std::size_t> features;
    std::size_t actionSteps = 0, actionDim = 0;

    Policy() = default;
    explicit Policy(Value info)
        : name(info["name"].text()),
          actionSteps(info["n_action_steps"].number(mostActions)),
          actionDim(info["action_dim"].number(mostNumbers)) {
        if (info.find("cameras"))
            throw Failure("the policy has cameras and this robot has none: robot.py sends frames");
        const std::vector<Value> listed = info["features"].elements();
        if (listed.size() > mostFeatures) throw Malformed("more features than an observation can have");
        for (const Value &feature : listed) features[feature["name"].text()] = feature["count"].number(mostNumbers);
    }
    bool operator==(const Policy &other) const {
        return name == other.name && features == other.features && actionSteps == other.actionSteps &&
               actionDim == other.actionDim;
    }
};

// The chunk buffer: the actions to come, by control step.
class Plan {
public:
    // Goes over to a chunk from `step` on, the first step that has not begun. Returns whether it did.
    bool join(Value chunk, std::size_t actionDim, std::uint64_t step) {
        std::vector<Action> actions = chunk["action"].rows(actionDim);
        const std::size_t meantCount = actions.size();
        if (const auto beyond = chunk.find("beyond"); beyond && beyond->object->type != MSGPACK_OBJECT_NIL)
            for (Action &action : beyond->rows(actionDim)) actions.push_back(std::move(action));
        const std::uint64_t sequence = chunk["sequence"].number(), chunkStep = chunk["first_step"].number();
        if ((answers && sequence <= *answers) || chunkStep > step || step - chunkStep >= actions.size()) return false;
        // Row i is meant for step chunkStep + i. What was meant for steps that have begun would come too late: skipped.
        rows.assign(actions.begin() + std::ptrdiff_t(step - chunkStep), actions.end());
        first = step;
        meant = chunkStep + meantCount;
        answers = sequence;
        return true;
    }
    // The action of a control step, null where there is none.
    const Action *at(std::uint64_t step) const {
        return step >= first && step - first < rows.size() ? &rows[std::size_t(step - first)] : nullptr;
    }
    bool isBeyond(std::uint64_t step) const { return step >= meant; }
    // The step after the last that the policy means to be carried out; those beyond are for when a chunk is late.
    std::uint64_t end() const { return std::min(meant, first + rows.size()); }
    std::uint64_t left(std::uint64_t step) const { return first + rows.size() > step ? first + rows.size() - step : 0; }

private:
    std::vector<Action> rows;
    std::uint64_t first = 0, meant = 0;
    std::optional<std::uint64_t> answers;
};

struct Command {
    Action action;
    bool isRunning;  // else the robot is brought to rest and kept there
};

// The robot's side of the protocol, for one episode and the thread that made it.
//
// ZeroMQ connects again by itself, and loses what is sent meanwhile; what remains to be done is to notice, and to start
// afresh with a daemon that is another process: it knows nothing of the history, nor of a stop.
class Denoised {
public:
    // `policyName` is that of one of the daemon's policies; empty: it has one.
    Denoised(std::string requestEndpoint, std::string robotId, std::string policyName, double hz, bool followsCommands,
             std::optional<Keys> curve)
        : endpoint(std::move(requestEndpoint)),
          robot(std::move(robotId)),
          wantedPolicy(std::move(policyName)),
          period(1 / hz),
          commands(followsCommands),
          keys(std::move(curve)),
          episode(clockNs(CLOCK_REALTIME)),
          context(zmq_ctx_new(), zmq_ctx_term) {
        std::random_device random;
        session = std::uint64_t(random()) << 32 | random();
    }

    bool isGone() const { return goneSince.has_value(); }
    bool isStopped() const { return stopped; }

    // Waits for a daemon, learns what its policy observes, and names the policy if there is one to name.
    const Policy &connect(double timeout) {
        openRequests();
        ask("info", timeout, false, false);
        if (!wantedPolicy.empty()) ask("reset", timeout, true, false);
        heard = seconds();
        return policy;
    }

    // Publishes what the robot sees at a control step, and asks for a chunk where one will be needed.
    void observe(std::uint64_t now, const Observation &observation) {
        step = now;
        Packed packed;
        packed.message("observation", commands ? 6 : 7).text("robot").text(robot).text("episode").number(episode);
        packed.text("sequence").number(step).text("time_ns").number(monotonicNs()).text("session").number(session);
        if (!commands) packed.text("replan").flag(needsChunk());
        packed.text("observation").map(observation.size());
        for (const auto &[name, numbers] : observation) {
            packed.text(name).array(numbers.size());
            for (const double number : numbers) packed.real(number);
        }
        if (observations) observations->send({"observation." + robot, packed.bytes()});
    }

    // What to carry out at a control step; null: hold.
    const Action *action(std::uint64_t now) const { return stopped ? nullptr : plan.at(now); }
    bool isBeyond(std::uint64_t now) const { return plan.isBeyond(now); }

    // The newest command, once.
    std::optional<Command> takeCommand() { return std::exchange(command, std::nullopt); }

    // Takes in what arrives before `until`; with commands, returns at each one.
    void listen(double until) {
        while (true) {
            watch();
            poll(std::clamp(until - seconds(), 0.0, 0.05));
            if (command || interrupted || seconds() >= until) return;
        }
    }

    // Sends a request and waits for its reply; not for the control loop, which must not wait.
    void ask(const char *type, double timeout, bool namesRobot, bool namesEpisode) {
        const double deadline = seconds() + timeout;
        const bool wasInterrupted = interrupted;
        refusal.clear();
        awaited = request(type, namesRobot, namesEpisode);
        while (awaited) {
            if (interrupted && !wasInterrupted) throw Failure("interrupted");
            if (seconds() > deadline)
                throw Failure("no answer to " + std::string(type) + " from " + endpoint + ": is the daemon running?");
            poll(0.05);
        }
        if (!refusal.empty()) throw Failure("the daemon refused " + std::string(type) + ": " + refusal);
    }

    std::uint64_t reconnects = 0, malformed = 0;

private:
    // Early enough that the chunk is there when the plan runs out, as far as past latencies tell.
    bool needsChunk() {
        const double latency = latencies.empty() ? period : *std::max_element(latencies.begin(), latencies.end());
        const auto lead = std::uint64_t(std::ceil(latency / period));
        if (step + lead < plan.end()) return false;
        // With nothing planned every observation asks: the first ones are lost while the sockets join.
        if (asked && plan.left(step) > 0 && step <= *asked + 2 * lead) return false;
        asked = step;
        return true;
    }

    // What arrives.

    void poll(double wait) {
        zmq_pollitem_t items[] = {{requests->get(), 0, ZMQ_POLLIN, 0},
                                  {published ? published->get() : nullptr, 0, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, published ? 2 : 1, long(std::ceil(wait * 1e3))) < 0) return;
        // The published ones first: a reply may replace their socket.
        if (published)
            while (true) {
                const auto frames = published->receive();
                if (frames.empty()) break;
                take(frames, false);
            }
        while (true) {
            const auto frames = requests->receive();
            if (frames.empty()) break;
            take(frames, true);
        }
    }

    void take(const std::vector<std::string> &frames, bool isReply) {
        try {
            const Unpacked unpacked(frames.back());
            const Value message = unpacked.root();
            if (isReply) takeReply(message);
            else if (frames[0] == "status") takeStatus(message);
            // A subscription is a prefix: "chunk.arm1" also gets what is for arm10.
            else if (message["robot"].text() == robot && message["episode"].number() == episode)
                commands ? takeCommand(message) : takeChunk(message);
        } catch (const Malformed &fault) {
            ++malformed;
            say("malformed message: ", fault.what());
        }
    }

    void takeChunk(Value chunk) {
        const std::uint64_t now = monotonicNs(), seen = chunk["time_ns"].number();  // this robot's own, sent back
        if (stopped || seen > now || now - seen > 60'000'000'000) return;
        latencies.push_back(double(now - seen) * 1e-9);
        if (latencies.size() > 8) latencies.pop_front();
        if (asked && chunk["sequence"].number() >= *asked) asked.reset();
        plan.join(chunk, policy.actionDim, step + 1);
    }

    void takeCommand(Value message) {
        const std::vector<Action> rows = message["action"].rows(policy.actionDim);
        const double age = (double(monotonicNs()) - double(message["time_ns"].number())) * 1e-9;
        const std::string state = message["state"].text();
        // A stopped robot follows the way to rest, but not a new daemon that has yet to learn of the stop.
        const bool isAllowed = !stopped || state == "holding";
        // What was held up on its way is for a tick that is over.
        if (isAllowed && rows.size() == 1 && std::abs(age) < commandTimeout)
            command = Command{rows[0], state == "running"};
    }

    void takeStatus(Value status) {
        // When the daemon started, which tells one process from another.
        const std::uint64_t started = status["monotonic_ns"].number() - status["statistics"]["uptime_ns"].number();
        const auto mine = status["robots"].find(robot.c_str());
        const std::string state = mine ? (*mine)["state"].text() : "idle";
        const std::string reason = mine ? (*mine)["reason"].text() : "";
        const double silentSince = std::exchange(heard, seconds());
        const bool isOther = process && *process != started;
        if (isOther || goneSince)
            rejoin(silentSince, isOther ? "another process: its history begins anew" : "the same process");
        // A new daemon does not know which policy is to drive the robot.
        if (isOther && !wantedPolicy.empty()) request("reset", true, false);
        process = started;
        if (state == "stopped" || state == "faulted") {
            if (!stopped) say("step ", step, ": ", state, ": ", reason, "; the robot holds");
            stopped = true;
            stopsAgain = false;
            plan = Plan();
        } else if (stopsAgain) {
            request("stop", true, false);
        } else if (stopped) {
            say("step ", step, ": released, the robot goes on");
            stopped = false;
            asked.reset();
        }
    }

    void takeReply(Value reply) {
        const std::string type = reply["type"].text();
        if (type == "info") takeInfo(reply);
        const std::string why = type == "error" ? reply["code"].text() + ": " + reply["message"].text() : "";
        if (awaited && reply["request"].number() == *awaited) {
            awaited.reset();
            refusal = why;
        } else if (!why.empty()) {
            say("step ", step, ": the daemon refused a request: ", why);
        }
    }

    // The wanted policy of those that the daemon runs.
    Policy policyIn(Value info) const {
        std::vector<Value> all;
        // A daemon of before there were several policies leaves the list out.
        if (const auto listed = info.find("policies"))
            for (const Value &one : listed->elements()) all.push_back(one["policy"]);
        else all.push_back(info["policy"]);
        std::string names;
        for (const Value &one : all) {
            const std::string name = one["name"].text();
            if (name == wantedPolicy || (wantedPolicy.empty() && all.size() == 1)) return Policy(one);
            names += (names.empty() ? "" : ", ") + name;
        }
        if (wantedPolicy.empty()) throw Failure("the daemon runs several policies: --policy takes one of " + names);
        throw Failure("the daemon has no policy " + wantedPolicy + ", expected one of " + names);
    }

    void takeInfo(Value info) {
        const Policy found = policyIn(info);
        newestStop = info["stop"].number();
        const std::string to = info["endpoints"]["observations"].text(), from = info["endpoints"]["chunks"].text();
        if (published && !(found == policy)) throw Failure("the daemon runs another policy now: " + found.name);
        policy = found;
        if (published && to == observationsAt && from == publishedAt) return;
        const std::vector<std::string> topics{"status", (commands ? "command." : "chunk.") + robot};
        published.reset();
        observations.reset();
        published = std::make_unique<Socket>(context.get(), ZMQ_SUB, reachable(from), keys, topics);
        observations = std::make_unique<Socket>(context.get(), ZMQ_PUB, reachable(to), keys);
        observationsAt = to;
        publishedAt = from;
    }

    // A daemon that goes and comes back.

    void watch() {
        const double now = seconds();
        if (!goneSince && now - heard > heartbeatTimeout) {
            goneSince = heard;
            say("step ", step, ": the daemon is gone; ", plan.left(step + 1), " actions left");
        }
        if (goneSince && now - infoAsked > infoInterval) {
            // A new socket drops what waits in the old one, and finds a daemon that came back elsewhere behind the same name.
            openRequests();
            request("info", false, false);
            infoAsked = now;
        }
    }

    void rejoin(double silentSince, const char *what) {
        say("step ", step, ": the daemon is back after ", seconds() - silentSince, " s, ", what);
        ++reconnects;
        goneSince.reset();
        asked.reset();
        request("info", false, false);
        // A stop holds until a person releases it, and a new daemon knows of none.
        stopsAgain = stopped;
    }

    void openRequests() {
        requests.reset();
        requests = std::make_unique<Socket>(context.get(), ZMQ_DEALER, endpoint, keys);
    }

    // A daemon that listens on every interface tells no address to call: it is that of its requests.
    std::string reachable(const std::string &told) const {
        for (const std::string anywhere : {"tcp://0.0.0.0:", "tcp://[::]:", "tcp://*:"})
            if (told.compare(0, anywhere.size(), anywhere) == 0)
                return endpoint.substr(0, endpoint.rfind(':') + 1) + told.substr(anywhere.size());
        return told;
    }

    std::uint64_t request(const char *type, bool namesRobot, bool namesEpisode) {
        Packed packed;
        // A resume names the newest stop that this robot knows of, so that one that comes meanwhile holds.
        const bool namesStop = std::string(type) == "resume", isReset = std::string(type) == "reset";
        // A reset says what is to drive the robot, but for the one that ends the episode.
        const bool namesPolicy = isReset && !namesEpisode && !wantedPolicy.empty();
        packed.message(type, 1u + namesRobot + namesEpisode + namesStop + isReset + namesPolicy);
        packed.text("request").number(++requestNumber);
        if (namesStop) packed.text("stop").number(newestStop);
        if (isReset) packed.text("session").number(session);
        if (namesPolicy) packed.text("policy").text(wantedPolicy);
        if (namesRobot) packed.text("robot").text(robot);
        if (namesEpisode) packed.text("episode").number(episode);
        requests->send({packed.bytes()});
        return requestNumber;
    }

    const std::string endpoint, robot, wantedPolicy;
    const double period;
    const bool commands;
    const std::optional<Keys> keys;
    // A new episode: the daemon starts a fresh history for an id that it has not seen.
    const std::uint64_t episode;
    // Which process speaks for the robot: the daemon refuses another one meanwhile.
    std::uint64_t session = 0;

    const std::unique_ptr<void, int (*)(void *)> context;
    std::unique_ptr<Socket> requests, observations, published;
    std::string observationsAt, publishedAt;
    Policy policy;
    std::uint64_t requestNumber = 0, newestStop = 0;
    std::optional<std::uint64_t> awaited;
    std::string refusal;

    std::uint64_t step = 0;
    Plan plan;
    std::optional<std::uint64_t> asked;
    std::deque<double> latencies;
    std::optional<Command> command;

    double heard = 0, infoAsked = 0;
    std::optional<double> goneSince;
    std::optional<std::uint64_t> process;
    bool stopped = false, stopsAgain = false;
};

// Stands in for motors and sensors: a point that follows its target as fast as motors do, next to a T that lies still. It
// has the features of PushT, and serves other policies with numbers that mean nothing.
class Body {
public:
    explicit Body(const Policy &policy) : features(policy.features), place(policy.actionDim, 256.0), moved(seconds()) {}

    void act(const Action &action) {
        move();
        target = action;
    }
    void hold() {
        move();
        target.clear();
    }
    Observation observe() {
        move();
        Observation observation;
        for (const auto &[name, count] : features) {
            std::vector<double> numbers = name == "observation.state" ? place : t;
            numbers.resize(count, 0.0);
            observation[name] = numbers;
        }
        return observation;
    }

private:
    void move() {
        constexpr double followsIn = 0.1;  // seconds
        const double now = seconds(), part = 1 - std::exp((moved - now) / followsIn);
        moved = now;
        for (std::size_t index = 0; index < std::min(place.size(), target.size()); ++index)
            place[index] += part * (double(target[index]) - place[index]);
    }

    const std::vector<double> t{206, 250, 306, 250, 306, 275, 206, 275, 243, 275, 243, 350, 268, 350, 268, 275};
    std::map<std::string, std::size_t> features;
    std::vector<double> place;
    Action target;
    double moved;
};

struct Options {
    std::string requests = "tcp://127.0.0.1:5557", robot = "arm1", policy, curveKey, curveServer;
    std::uint64_t steps = 100;
    double hz = 10, timeout = 30;
    bool commands = false, resume = false;
};

struct Outcome {
    std::uint64_t planned = 0, beyond = 0, held = 0;  // control steps
};

// Carries out commands as they come until `end`. Returns whether one of them moved the robot.
bool followCommands(Denoised &daemon, Body &body, double end) {
    bool moves = false;
    double silentSince = seconds();
    while (seconds() < end && !interrupted) {
        daemon.listen(end);
        if (const auto command = daemon.takeCommand()) {
            body.act(command->action);
            moves = moves || command->isRunning;
            silentSince = seconds();
        } else if (seconds() - silentSince > commandTimeout) {
            body.hold();
        }
    }
    return moves;
}

Outcome run(Denoised &daemon, Body &body, const Options &options) {
    Outcome outcome;
    const double period = 1 / options.hz, start = seconds();
    std::uint64_t step = 0;
    bool wasMoving = false;
    while (step < options.steps && !interrupted) {
        daemon.observe(step, body.observe());
        const double end = start + double(step + 1) * period;
        bool moves = false;
        if (options.commands) {
            moves = followCommands(daemon, body, end);
        } else {
            if (const Action *action = daemon.action(step)) {
                moves = true;
                outcome.beyond += daemon.isBeyond(step);
                body.act(*action);
            } else {
                body.hold();
            }
            daemon.listen(end);
        }
        if (moves != wasMoving) say("step ", step, moves ? ": moving" : ": holding");
        wasMoving = moves;
        ++(moves ? outcome.planned : outcome.held);
        // A robot that was off its core goes on with the step that it is, not with those that it missed.
        step = std::max(step + 1, std::uint64_t((seconds() - start) / period));
    }
    return outcome;
}

// A key of a certificate as `denoised keygen` writes it: 40 characters of Z85 in quotation marks.
std::string keyIn(const std::string &path, const std::string &name) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        const auto start = line.find(name), open = line.find('"'), close = line.rfind('"');
        if (start == std::string::npos || line.find_first_not_of(" \t") != start || open == std::string::npos) continue;
        if (close == open + 41) return line.substr(open + 1, 40);
    }
    throw Failure(path + ": no " + name);
}

const char *const help =
    "Runs one episode of a simulated robot against a running daemon.\n\n"
    "  --requests ENDPOINT  the daemon's request endpoint (tcp://127.0.0.1:5557)\n"
    "  --robot ID           the robot's id (arm1)\n"
    "  --policy NAME        one of the daemon's policies, if it runs several\n"
    "  --steps N            control steps in the episode (100)\n"
    "  --hz F               control steps a second, as the policy was trained (10)\n"
    "  --commands           follow the daemon's commands; it needs serve --robot FILE\n"
    "  --resume             release the robot first, if it is stopped\n"
    "  --timeout S          seconds to wait for the daemon (30)\n"
    "  --curve-key FILE     the robot's secret certificate, as denoised keygen writes it\n"
    "  --curve-server FILE  the daemon's public certificate\n\n"
    "Ctrl-C stops the robot at the daemon too. Exit status: 0; 1 where it never moved or ended\n"
    "stopped; 2 for bad usage; 130 after Ctrl-C.\n";

struct Usage : std::runtime_error {
    using std::runtime_error::runtime_error;
};

double numberOf(const std::string &option, const std::string &text, double least, double most) {
    char *end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(number >= least && number <= most))
        throw Usage(option + " is " + text + ", expected a number from " + std::to_string(least) + " to " +
                    std::to_string(most));
    return number;
}

Options parse(const std::vector<std::string> &arguments) {
    Options options;
    for (std::size_t index = 0; index < arguments.size(); ++index) {
        const std::string &option = arguments[index];
        const auto value = [&]() -> const std::string & {
            if (++index == arguments.size()) throw Usage(option + " needs a value");
            return arguments[index];
        };
        if (option == "--requests") options.requests = value();
        else if (option == "--robot") options.robot = value();
        else if (option == "--policy") options.policy = value();
        else if (option == "--steps") options.steps = std::uint64_t(numberOf(option, value(), 1, 1e12));
        else if (option == "--hz") options.hz = numberOf(option, value(), 0.001, 1000);
        else if (option == "--commands") options.commands = true;
        else if (option == "--resume") options.resume = true;
        else if (option == "--timeout") options.timeout = numberOf(option, value(), 0.001, 1e6);
        else if (option == "--curve-key") options.curveKey = value();
        else if (option == "--curve-server") options.curveServer = value();
        else throw Usage("unknown option " + option);
    }
    if (options.curveKey.empty() != options.curveServer.empty())
        throw Usage("--curve-key and --curve-server go together");
    return options;
}

int drive(const Options &options) {
    std::optional<Keys> keys;
    if (!options.curveKey.empty())
        keys = Keys{keyIn(options.curveKey, "public-key"), keyIn(options.curveKey, "secret-key"),
                    keyIn(options.curveServer, "public-key")};
    Denoised daemon(options.requests, options.robot, options.policy, options.hz, options.commands, keys);
    const Policy policy = daemon.connect(options.timeout);
    say("policy ", policy.name, ": ", policy.actionSteps, " actions of ", policy.actionDim, " numbers a chunk");
    if (options.resume) daemon.ask("resume", options.timeout, true, false);
    Body body(policy);
    const Outcome outcome = run(daemon, body, options);
    if (interrupted) {
        say("stopping");
        daemon.ask("stop", 1, true, false);
        say("stopped; --resume releases the robot");
        return 130;
    }
    // An episode that ends is no silence: without this the daemon would hold, and then stop, a robot that it commands.
    if (!daemon.isGone()) daemon.ask("reset", 2, true, true);
    say("episode done: ", options.steps, " steps, ", outcome.planned, " with an action, ", outcome.beyond,
        " of them beyond the chunk, ", outcome.held, " held");
    say(daemon.reconnects, " reconnects, ", daemon.malformed, " malformed messages");
    if (outcome.planned == 0 && !daemon.isStopped())
        say("it never moved: the daemon's log says why",
            options.commands ? ", if it was started with --robot FILE" : "");
    return daemon.isStopped() || outcome.planned == 0 ? 1 : 0;
}

}  // namespace

int main(int count, char **values) {
    const std::vector<std::string> arguments(values + 1, values + count);
    if (std::find(arguments.begin(), arguments.end(), "--help") != arguments.end()) {
        std::cout << help;
        return 0;
    }
    std::cout << std::fixed << std::setprecision(1);
    struct sigaction action {};
    action.sa_handler = onInterrupt;
    sigaction(SIGINT, &action, nullptr);
    // What starts a robot may have left SIGINT blocked; the stop must not be.
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_UNBLOCK, &interrupt, nullptr);
    try {
        return drive(parse(arguments));
    } catch (const Usage &usage) {
        std::cerr << usage.what() << "\n\n" << help;
        return 2;
    } catch (const std::exception &failure) {
        std::cerr << failure.what() << std::endl;
        return 1;
    }
}
