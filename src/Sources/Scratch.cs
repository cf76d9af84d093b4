using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Storage.Folder;
using BackupDr.Storage.Posix;

namespace BackupDr.Sources;

/// <summary>A folder for a copy that is thrown away, of mode 0700. It is held by a lock of the kernel: what a killed run left behind is
/// recognised by that, and removed by the next one.</summary>
sealed class Scratch : IDisposable
{
    const string Start = "backupdr-scratch-";

    readonly Descriptor _folder;

    Scratch(string path, Descriptor folder) => (Path, _folder) = (path, folder);

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>Makes one, after the left-overs are gone.</summary>
    /// <param name="below">Absolute path of the folder that it is made in; it exists.</param>
    /// <exception cref="BadInputException">There is no such folder.</exception>
    /// <exception cref="PosixException">It cannot be made.</exception>
    public static Scratch Make(string below)
    {
        if (!below.StartsWith('/') || !Disk.Exists(below))
            throw new BadInputException("--scratch", $"There is no folder {below}.", "Name a folder on a disk with room for the copy.");
        RemoveLeft(below);
        var path = System.IO.Path.Combine(below, Start + RandomNumberGenerator.GetHexString(16, lowercase: true));
        var folder = PrivateFolder.Open(FilePath.FromText(path));
        FileLock.TryTake(folder);
        return new Scratch(path, folder);
    }

    /// <summary>Removes what killed runs left in a folder, with the servers in it.</summary>
    public static void RemoveLeft(string below)
    {
        foreach (var (name, kind) in Disk.List(below))
            if (kind == FileKind.Folder && name.StartsWith(Start, StringComparison.Ordinal))
                RemoveIfLeft(System.IO.Path.Combine(below, name));
    }

    static void RemoveIfLeft(string path)
    {
        try
        {
            using var left = Descriptor.OpenFolder(FilePath.FromText(path));
            if (!FileLock.TryTake(left)) return;
            EndThoseIn(path);
            Disk.RemoveTree(path);
        }
        catch (PosixException e) when (e.Errno is Errno.EACCES or Errno.EPERM or Errno.ENOENT) { return; }   // another user's, or gone
    }

    // A server that outlived the program that started it.
    static void EndThoseIn(string path)
    {
        foreach (var (name, _) in Disk.List("/proc"))
        {
            if (!int.TryParse(name, CultureInfo.InvariantCulture, out var pid)) continue;
            try
            {
                using var process = Descriptor.OpenFolder(FilePath.FromText($"/proc/{pid}"));
                if (!process.ReadLink("cwd"u8).ToString().StartsWith(path + "/", StringComparison.Ordinal)) continue;
                using var left = Process.GetProcessById(pid);
                left.Kill();
                left.WaitForExit();
            }
            catch (Exception e) when (e is PosixException or ArgumentException or InvalidOperationException) { continue; }   // it ended
        }
    }

    /// <summary>Removes it.</summary>
    public void Dispose()
    {
        Disk.RemoveTree(Path);
        _folder.Dispose();
    }
}

/// <summary>What killed runs left of servers that nobody else can reach, beside their data: the folders of their sockets.</summary>
public static class LeftScratch
{
    /// <summary>Removes it. What a run that lives holds, and what is another user's, stays.</summary>
    public static void Remove()
    {
        foreach (var folder in (string[])[PostgreSql.PrivateServer.SocketFolder, MariaDb.PrivateMariaDb.SocketFolder])
            Scratch.RemoveLeft(folder);
    }
}
