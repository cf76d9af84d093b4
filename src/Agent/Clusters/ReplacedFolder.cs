using System.Globalization;
using BackupDr.Contracts;

namespace BackupDr.Agent.Clusters;

/// <summary>A data folder that a restored one takes the place of: both are kept until the new one is known to be good, and what failed
/// gives the place back.</summary>
sealed class ReplacedFolder : IDisposable
{
    readonly string _folder, _code;
    readonly Func<string, int?> _runningIn;
    bool _isSwapped, _isKept;

    ReplacedFolder(string folder, string code, Func<string, int?> runningIn)
    {
        (_code, _runningIn) = (code, runningIn);
        var stamp = TimeProvider.System.GetUtcNow().UtcDateTime.ToString("yyyyMMdd-HHmmss", CultureInfo.InvariantCulture);
        (_folder, New, Old) = (folder.TrimEnd('/'), $"{folder.TrimEnd('/')}.restoring-{stamp}", $"{folder.TrimEnd('/')}.before-{stamp}");
    }

    /// <summary>Where the restored one is made.</summary>
    public string New { get; }
    /// <summary>Where the former one is kept.</summary>
    public string Old { get; }

    /// <param name="folder">Absolute path.</param>
    /// <param name="code">The code that is told where a server runs.</param>
    /// <param name="runningIn">The process that runs in a folder; null where none does.</param>
    /// <exception cref="ConflictException">A server runs in it.</exception>
    public static ReplacedFolder Begin(string folder, string code, Func<string, int?> runningIn)
    {
        var place = new ReplacedFolder(folder, code, runningIn);
        place.MustBeStopped();
        return place;
    }

    void MustBeStopped()
    {
        if (_runningIn(_folder) is { } pid)
            throw new ConflictException(_code, $"A server runs in {_folder} (process {pid}).",
                "Stop it first: what is in its place is kept, and a running server would lose what it writes meanwhile.");
    }

    /// <summary>Exchanges them.</summary>
    /// <exception cref="ConflictException">A server was started meanwhile.</exception>
    public void Swap()
    {
        MustBeStopped();
        if (Directory.Exists(_folder)) Move(_folder, Old);
        _isSwapped = true;
        Move(New, _folder);
    }

    /// <summary>The new one stays.</summary>
    public void Keep() => _isKept = true;

    /// <summary>Gives the place back where the new one was not kept; that one stays beside, to be looked at.</summary>
    public void Dispose()
    {
        if (!_isSwapped || _isKept) return;
        if (Directory.Exists(_folder)) Move(_folder, New);
        if (Directory.Exists(Old)) Move(Old, _folder);
    }

    static void Move(string from, string to)
    {
        try { Directory.Move(from, to); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UnavailableException("restore.exchange", $"{from} cannot be renamed to {to}: {e.Message}",
                "A data folder that is a mount point of its own cannot be exchanged: restore beside it.", e);
        }
    }
}
