using System.Globalization;
using BackupDr.Engine.Backup;
using BackupDr.Engine.Restore;

namespace BackupDr.Cli;

/// <summary>Shows how far a command is: one line that is redrawn on a terminal, else a line every few seconds. Goes to stderr.</summary>
sealed class ProgressLine(Output output, TimeProvider clock) : IDisposable
{
    static readonly TimeSpan Redraw = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan Repeat = TimeSpan.FromSeconds(10);

    readonly Lock _gate = new();
    readonly bool _isTerminal = !Console.IsErrorRedirected;
    readonly long _begun = clock.GetTimestamp();
    long _shown = clock.GetTimestamp();
    bool _drawn;

    /// <summary>Takes what a job reports and shows it when it is time. Called from any thread.</summary>
    public IProgress<T>? Of<T>(Func<T, Step> words) => output.ShowsProgress ? new Receiver<T>(this, words) : null;

    /// <summary>Takes what a backup reports; null where nobody looks.</summary>
    public IProgress<BackupProgress>? OfBackup
        => Of<BackupProgress>(at => new Step(at.FilesDone, at.FilesTotal, at.BytesDone, at.BytesTotal));

    /// <summary>Takes what a restore reports; null where nobody looks.</summary>
    public IProgress<RestoreProgress>? OfRestore
        => Of<RestoreProgress>(at => new Step(at.FilesDone, at.FilesTotal, at.BytesDone, at.BytesTotal));

    void Show(Step step)
    {
        lock (_gate)
        {
            if (clock.GetElapsedTime(_shown) < (_isTerminal ? Redraw : Repeat)) return;
            _shown = clock.GetTimestamp();
            var text = Text(step, clock.GetElapsedTime(_begun));
            if (!_isTerminal) { Console.Error.WriteLine(text); return; }
            var width = Math.Max(20, Console.WindowWidth) - 1;
            Console.Error.Write($"\r\x1b[K{(text.Length > width ? text[..width] : text)}");
            _drawn = true;
        }
    }

    /// <summary>The line: share, bytes, files, speed, time left.</summary>
    internal static string Text(Step step, TimeSpan elapsed)
    {
        var bytesPerSecond = elapsed.TotalSeconds >= 1 ? step.BytesDone / elapsed.TotalSeconds : 0;
        var share = step.BytesTotal is > 0 and { } total
            ? string.Create(CultureInfo.InvariantCulture, $" {100.0 * Math.Min(1, (double)step.BytesDone / total):0.0}%") : "";
        var left = step.BytesTotal is { } all && bytesPerSecond > 0 && all > step.BytesDone
            ? $", {Output.Time(TimeSpan.FromSeconds((all - step.BytesDone) / bytesPerSecond))} left" : "";
        var speed = bytesPerSecond > 0 ? $", {Output.Size((long)bytesPerSecond)}/s" : "";
        var bytes = Output.Size(step.BytesDone) + (step.BytesTotal is { } end ? $" of {Output.Size(end)}" : "");
        var files = step.FilesTotal is { } count ? $"{step.FilesDone} of {count}" : $"{step.FilesDone}";
        return $"[{Output.Time(elapsed)}]{share} {bytes}, {files} {step.Things}{speed}{left}";
    }

    /// <summary>Leaves a clean line behind.</summary>
    public void Dispose()
    {
        lock (_gate)
            if (_drawn) Console.Error.Write("\r\x1b[K");
    }

    sealed class Receiver<T>(ProgressLine line, Func<T, Step> words) : IProgress<T>
    {
        public void Report(T value) => line.Show(words(value));
    }
}

/// <summary>How far a command is.</summary>
readonly record struct Step(long FilesDone, long? FilesTotal, long BytesDone, long? BytesTotal, string Things = "files");
