using BackupDr.Contracts;

namespace BackupDr.TestKit;

/// <summary>A folder of one test's own, removed with everything in it.</summary>
public sealed class ScratchFolder : IDisposable
{
    public ScratchFolder() => Path = Directory.CreateTempSubdirectory("backupdr-test-").FullName;

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>Absolute path, as bytes.</summary>
    public FilePath FilePath => FilePath.FromText(Path);

    /// <summary>A path below it; nothing is made.</summary>
    public string At(string relative) => System.IO.Path.Combine(Path, relative);

    /// <summary>Makes a folder below it.</summary>
    public string Folder(string relative) => Directory.CreateDirectory(At(relative)).FullName;

    /// <summary>Writes a file below it, with its folders.</summary>
    public string File(string relative, string content = "")
    {
        var path = At(relative);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    // rm knows names that are no UTF-8 and folders without rights; the base library does not.
    // The long runs leave a million files, and a file system may take minutes to forget them.
    public void Dispose() => Tool.Run("rm", ["-rf", "--", Path], patience: TimeSpan.FromMinutes(Nightly.Or(2, 30)));
}
