using BackupDr.Storage.Posix;
using Xunit;

namespace BackupDr.TestKit;

/// <summary>A small file system of a test's own, mounted below its scratch folder. Needs root.</summary>
public sealed class Mount : IDisposable
{
    string? _image;

    Mount(string path, string? image) => (Path, _image) = (path, image);

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <summary>A file system in memory.</summary>
    public static Mount Memory(string path, string options)
    {
        NeedRoot();
        Directory.CreateDirectory(path);
        Tool.Succeed("mount", "-t", "tmpfs", "-o", options, "tmpfs", path);
        return new Mount(path, null);
    }

    /// <summary>An ext4 file system in a file.</summary>
    public static Mount Ext4(string path, int sizeMb) => InFile(path, sizeMb, "e2fsprogs", "mkfs.ext4", "-q", "-F");

    /// <summary>A Btrfs file system in a file. 110 MB is the least.</summary>
    public static Mount Btrfs(string path, int sizeMb = 160) => InFile(path, sizeMb, "btrfs-progs", "mkfs.btrfs", "-q", "-f");

    static Mount InFile(string path, int sizeMb, string package, string maker, params string[] options)
    {
        NeedRoot();
        Tool.Need(maker, package);
        Directory.CreateDirectory(path);
        var image = path + ".img";
        using (var file = File.Create(image)) file.SetLength((long)sizeMb << 20);
        Tool.Succeed(maker, [.. options, image]);
        var mounted = Tool.Run("mount", ["-o", "loop", image, path]);
        if (mounted.ExitCode != 0) Assert.Skip($"No loop device can be mounted here: {mounted.Errors.Trim()}");
        return new Mount(path, image);
    }

    /// <summary>Takes it away and mounts it again, as after a restart.</summary>
    /// <remarks>From a copy of its file: a name space of mounts that somebody made meanwhile keeps the old one alive, and the same file
    /// would be the same file system, with its power still cut.</remarks>
    public void Again()
    {
        Tool.Run("sync", ["-f", Path]);   // for such a one; after a power cut there is nothing that could be written any more
        Tool.Succeed("umount", Path);
        var next = $"{_image}+";
        Tool.Succeed("cp", "--sparse=always", _image!, next);
        File.Delete(_image!);
        _image = next;
        Tool.Succeed("mount", "-o", "loop", _image, Path);
    }

    /// <summary>Skips the test where it does not run as root.</summary>
    public static void NeedRoot()
    {
        if (!AccountNames.IsRoot) Assert.Skip("Mounting takes root.");
    }

    public void Dispose() => Tool.Run("umount", ["-l", Path]);
}
