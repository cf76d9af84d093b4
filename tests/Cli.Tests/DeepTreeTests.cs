using System.Text;
using BackupDr.Storage.Posix;
using BackupDr.TestKit;

namespace BackupDr.Cli.Tests;

/// <summary>Folders nested deeper than a process may have files open, with paths longer than the kernel takes.</summary>
public sealed class DeepTreeTests : IDisposable
{
    static readonly int Levels = Nightly.Or(700, 2000);

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    // In each level a folder, and files that are read before and after the walk was in it; every 500th has a side branch.
    void MakeTree(string top)
    {
        const OpenFlags flags = OpenFlags.ReadOnly | OpenFlags.Folder | OpenFlags.NoFollow;
        var at = Descriptor.OpenFolder(FilePathOf(_scratch.Folder(top)));
        for (var level = 0; level < Levels; level++)
        {
            using var here = at;
            foreach (var name in (string[])["a", "z"])
            {
                using var file = here.OpenAt(Encoding.UTF8.GetBytes(name), OpenFlags.WriteOnly | OpenFlags.Create, 0x1A4);
                file.WriteAt(0, Encoding.UTF8.GetBytes($"{name} in level {level}"));
            }
            if (level % 500 == 250) here.TryMakeFolder("n"u8, 0x1ED);
            here.TryMakeFolder("middle"u8, 0x1ED);
            at = here.OpenAt("middle"u8, flags);
        }
        at.Dispose();
    }

    static Contracts.FilePath FilePathOf(string path) => Contracts.FilePath.FromText(path);

    [Fact]
    public void More_levels_than_open_files_are_taken_checked_and_restored()
    {
        MakeTree("source");
        var repository = BackupdrProgram.NewRepository(_scratch);

        var backup = BackupdrProgram.RunLimited(256, "backup", "--repo", repository, _scratch.At("source"));
        var again = BackupdrProgram.RunLimited(256, "backup", "--repo", repository, _scratch.At("source"));
        var check = BackupdrProgram.RunLimited(256, "check", "--read-data", "--repo", repository);
        var restore = BackupdrProgram.RunLimited(256, "restore", "latest", "--repo", repository, "--target", _scratch.At("restored"));

        Assert.Equal((0, ""), (backup.ExitCode, Problems(backup)));
        Assert.Equal((0, ""), (again.ExitCode, Problems(again)));
        Assert.Contains($"{2 * Levels} unmodified", again.Output + again.Errors, StringComparison.Ordinal);
        Assert.Equal(0, check.ExitCode);
        Assert.True(restore.ExitCode == 0, restore.Errors);
        Assert.Equal(Contents(_scratch.At("source")), Contents(_scratch.At("restored") + _scratch.At("source")));
        new ResticCli(repository, BackupdrProgram.Password, _scratch.At("cache")).Check();
    }

    static string Problems(ToolResult run)
        => string.Join('\n', (run.Output + run.Errors).Split('\n').Where(line => line.Contains("missing", StringComparison.Ordinal)));

    // The text of every file on the way down, and what else lies there.
    static List<string> Contents(string top)
    {
        var contents = new List<string>();
        var at = Descriptor.OpenFolder(FilePathOf(top));
        while (true)
        {
            using var here = at;
            var reader = new FolderReader(here);
            var names = new List<string>();
            while (reader.Next(out var name, out _)) names.Add(Encoding.UTF8.GetString(name));
            reader.Dispose();
            contents.Add(string.Join(' ', names.Order(StringComparer.Ordinal)));
            foreach (var name in names.Where(name => name is "a" or "z"))
            {
                using var file = here.OpenAt(Encoding.UTF8.GetBytes(name), OpenFlags.ReadOnly);
                var bytes = new byte[64];
                contents.Add(Encoding.UTF8.GetString(bytes, 0, file.FillAt(0, bytes)));
            }
            if (!names.Contains("middle")) return contents;
            at = here.OpenAt("middle"u8, OpenFlags.ReadOnly | OpenFlags.Folder);
        }
    }
}
