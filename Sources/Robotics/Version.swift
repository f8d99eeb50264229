/// The version of the daemon, its clients and its command line: semantic versioning, as in CHANGELOG.md.
public let daemonVersion = "0.2.0"
