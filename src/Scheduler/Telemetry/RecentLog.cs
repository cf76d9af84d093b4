using System.Collections.Concurrent;
using System.Globalization;

namespace BackupDr.Scheduler.Telemetry;

/// <summary>Keeps the newest lines of the node's own log in memory, for a support bundle: what a node wrote before somebody asked is
/// otherwise wherever its standard output went.</summary>
public sealed class RecentLog(TimeProvider clock) : ILoggerProvider
{
    /// <summary>Lines that are kept.</summary>
    public const int Lines = 2000;
    const int LongestLine = 2000;

    readonly ConcurrentQueue<string> _lines = new();

    /// <summary>The lines, oldest first.</summary>
    public IReadOnlyList<string> All => [.. _lines];

    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    /// <summary>Nothing to give back.</summary>
    public void Dispose() { }

    DateTimeOffset Now => clock.GetUtcNow();

    void Add(string line)
    {
        _lines.Enqueue(line.Length <= LongestLine ? line : line[..LongestLine] + "…");
        while (_lines.Count > Lines) _lines.TryDequeue(out _);
    }

    sealed class Logger(RecentLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
            => log.Add(string.Create(CultureInfo.InvariantCulture, $"{log.Now:yyyy-MM-dd'T'HH:mm:ss.fff'Z'} {logLevel} "
                + $"{category}[{eventId.Id}] {formatter(state, exception)}{(exception is null ? "" : $"\n{exception}")}"));
    }
}
