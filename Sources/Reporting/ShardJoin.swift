import ForeignText

/// Makes one run of the shards of each run among some files.
package struct ShardJoin {
    /// What is to be reported on: the joined runs, each in the place of its first shard, and the other files as they were.
    package private(set) var files: [(path: String, file: RunFile)] = []
    /// What the user should know, a sentence each: shards that are missing, and why files were not joined.
    package private(set) var warnings: [String] = []
    /// The runs that were joined.
    package private(set) var runs: [Run] = []

    /// - Parameter files: in the order in which they were given.
    /// - Throws: ``RunFileError`` for two shards that tell different results of one seed.
    package init(_ files: [(path: String, file: RunFile)]) throws(RunFileError) {
        var groups: [[RunSetting]: [Run]] = [:]
        for (_, file) in files {
            for run in file.runs where run.sharded != nil { groups[run.settings, default: []].append(run) }
        }
        for (path, file) in files {
            guard let first = file.runs.first, first.sharded != nil else {
                self.files.append((path, file))
                continue
            }
            guard let shards = groups.removeValue(forKey: first.settings) else { continue }
            let run = try Run(joining: shards)
            runs.append(run)
            self.files.append((Self.path(of: shards.map(\.file)), RunFile(runs: [run])))
        }
        for (place, run) in runs.enumerated() {
            if let joining = run.joining, let problem = joining.problem {
                warnings.append("\(Self.names(joining.files)): \(problem)")
            }
            // A complete run lacks nothing that the others could have.
            let earlier = runs[..<place].first { $0.joining?.isComplete == false }
            if let earlier, run.joining?.isComplete == false {
                warnings.append(Self.reason(earlier, run))
            }
        }
    }

    /// The only run that was joined.
    ///
    /// - Throws: ``RunFileError`` if there is none, or another one.
    package func onlyRun() throws(RunFileError) -> Run {
        guard let run = runs.first else {
            throw RunFileError(
                files.first?.path ?? "",
                "found no shard, expected what `denoised sim --shard` printed with --json"
            )
        }
        guard runs.count == 1 else { throw RunFileError(runs[1].file, Self.reason(run, runs[1])) }
        return run
    }

    /// Why two runs are two.
    private static func reason(_ first: Run, _ second: Run) -> String {
        let (one, other) = (first.file.inOneLine, second.file.inOneLine)
        let theirs = Dictionary(second.settings.map { ($0.name, $0.value) }) { earlier, _ in earlier }
        let mine = Set(first.settings.map(\.name))
        let changed = first.settings.filter { theirs[$0.name] != $0.value }
            .map { ($0.name, $0.value, theirs[$0.name]) }
        let added = second.settings.filter { !mine.contains($0.name) }.map {
            ($0.name, nil as String?, $0.value)
        }
        let differences =
            changed.map { ($0.0, $0.1 as String?, $0.2) } + added.map { ($0.0, $0.1, $0.2 as String?) }
        func said(_ value: String?) -> String { value.map { $0.inOneLine.quoted } ?? "not given" }
        let reasons = differences.prefix(3).map { name, mine, theirs in
            "\(name.inOneLine) is \(said(mine)) in \(one) and \(said(theirs)) in \(other)"
        }
        let more = differences.count > 3 ? ", and \(differences.count - 3) more settings differ" : ""
        return "\(one) and \(other) are not joined: " + reasons.joined(separator: ", ") + more
    }

    private static func names(_ files: [String]) -> String {
        (files.first?.inOneLine ?? "") + (files.count > 1 ? " and \(files.count - 1) more" : "")
    }

    /// What the files' names begin with, for a name of what they make together: `runs/a-1.json` and `runs/a-2.json` give `runs/a.json`.
    static func path(of files: [String]) -> String {
        guard files.count > 1, var common = files.first.map(Array.init) else { return files.first ?? "" }
        for file in files.dropFirst() {
            common = Array(zip(common, file).prefix { $0 == $1 }.map(\.0))
        }
        let separators: Set<Character> = ["-", "_", ".", " "]
        // Of a number that two files begin alike.
        while common.last?.isNumber == true { common.removeLast() }
        while let last = common.last, separators.contains(last) { common.removeLast() }
        let ending = "shard"
        if common.last != "/", String(common).lowercased().hasSuffix(ending) {
            common.removeLast(ending.count)
            while let last = common.last, separators.contains(last) { common.removeLast() }
        }
        // A folder has the run's name if the shards have none in common.
        while common.last == "/" { common.removeLast() }
        return (common.isEmpty ? "joined" : String(common)) + ".json"
    }
}

/// One of the things in which the shards of a run must be alike.
struct RunSetting: Hashable {
    /// As the path of a file's member.
    let name: String
    let value: String
}

extension Run {
    /// What a shard must have in common with the others of its run.
    var settings: [RunSetting] {
        var found: [RunSetting] = []
        func add(_ name: String, _ value: (some CustomStringConvertible)?) {
            if let value { found.append(RunSetting(name: name, value: "\(value)")) }
        }
        add("version", version)
        add("policy", policy)
        add("sampler.solver", sampler?.solver)
        add("sampler.steps", sampler?.steps)
        add("sampler.method", sampler?.method)
        add("sampler.window", sampler?.window)
        add("sampler.tolerance", sampler?.tolerance)
        add("sampler.kernel", sampler?.kernel)
        add("sampler.budget_ms", sampler?.budgetMs)
        add("realtime.schedule", realTime?.schedule)
        add("realtime.delay_ms", realTime?.delayMs)
        add("camera.name", camera?.name)
        add("camera.encoding", camera?.encoding)
        add("camera.disturbances", camera?.disturbances)
        add("shard.of", sharded?.shard.count)
        add("shard.first_seed", sharded?.firstSeed)
        add("shard.episodes", sharded?.episodes)
        for (name, value) in (sharded?.settings ?? [:]).sorted(by: { $0.key < $1.key }) {
            add("shard.settings.\(name)", value)
        }
        return found
    }
}
