using BackupDr.Contracts;

namespace BackupDr.Sources;

/// <summary>Something about a source or a restore target that is neither a system call's nor a store's failure.</summary>
/// <param name="code">Stable code, for example "restore.unsafe_name".</param>
/// <param name="message">What was wrong with which entry.</param>
/// <param name="hint">What the reader can do next.</param>
/// <param name="inner">The failure underneath.</param>
public sealed class SourceException(string code, string message, string? hint = null, Exception? inner = null)
    : BackupDrException(code, message, hint, inner: inner);
