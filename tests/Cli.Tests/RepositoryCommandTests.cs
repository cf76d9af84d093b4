using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.TestKit;
using BackupDr.TestKit.Trees;

namespace BackupDr.Cli.Tests;

public sealed class RepositoryCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    ResticCli Restic(string repository) => new(repository, BackupdrProgram.Password, _scratch.At("cache"));

    [Fact]
    public void What_was_backed_up_is_listed_restored_and_checked_and_restic_agrees()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/a.txt", "a");
        _scratch.File("data/deep/b.txt", "b");

        var backup = BackupdrProgram.Succeed("backup", "--repo", repository, "--json",
            "--tag", "x,y", "--host", "web-1", _scratch.At("data"));
        var snapshots = BackupdrProgram.Succeed("snapshots", "--repo", repository, "--json");
        BackupdrProgram.Succeed("restore", "latest", "--repo", repository, "--target", _scratch.At("out"));
        var check = BackupdrProgram.Succeed("check", "--read-data", "--repo", repository);

        using var summary = JsonDocument.Parse(backup);
        using var listed = JsonDocument.Parse(snapshots);
        var only = Assert.Single(listed.RootElement.EnumerateArray());
        Assert.Equal(summary.RootElement.GetProperty("snapshot_id").GetString(), only.GetProperty("id").GetString());
        Assert.Equal(2, summary.RootElement.GetProperty("total_files_processed").GetInt32());
        Assert.Equal("web-1", only.GetProperty("hostname").GetString());
        Assert.Equal(["x", "y"], only.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!));
        Assert.Empty(FsDiff.Compare(FilePath.FromText(_scratch.At("data")), FilePath.FromText(_scratch.At("out") + _scratch.At("data"))));
        Assert.Contains("no errors were found", check, StringComparison.Ordinal);
        Restic(repository).Check();
    }

    [Fact]
    public void A_path_after_the_colon_is_put_straight_into_the_target()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/deep/b.txt", "b");
        string Restore(string target, params string[] what)
        {
            BackupdrProgram.Succeed(["restore", .. what, "--repo", repository, "--target", _scratch.At(target)]);
            return _scratch.At(target);
        }
        BackupdrProgram.Succeed("backup", "--repo", repository, _scratch.At("data"));

        Restore("folder", $"latest:{_scratch.At("data")}");
        Restore("file", $"latest:{_scratch.At("data/deep/b.txt")}");
        Restore("part", "latest", "--include", _scratch.At("data/deep"));

        Assert.Equal("b", File.ReadAllText(_scratch.At("folder/deep/b.txt")));
        Assert.Equal("b", File.ReadAllText(_scratch.At("file/b.txt")));
        Assert.Equal("b", File.ReadAllText(_scratch.At("part") + _scratch.At("data/deep/b.txt")));
    }

    [Fact]
    public void Files_that_exist_are_kept_or_replaced_as_told()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/a.txt", "stored");
        BackupdrProgram.Succeed("backup", "--repo", repository, _scratch.At("data"));
        string Restored(string policy)
        {
            _scratch.File($"{policy}/a.txt", "of today");
            BackupdrProgram.Succeed("restore", $"latest:{_scratch.At("data")}", "--repo", repository,
                "--target", _scratch.At(policy), "--overwrite", policy);
            return File.ReadAllText(_scratch.At($"{policy}/a.txt"));
        }

        Assert.Equal("of today", Restored("never"));
        Assert.Equal("stored", Restored("if-changed"));
        Assert.Equal("stored", Restored("always"));
    }

    [Fact]
    public void A_folder_lists_its_own_entries_and_a_snapshot_all_of_them()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/deep/b.txt", "b");
        BackupdrProgram.Succeed("backup", "--repo", repository, _scratch.At("data"));

        var folder = BackupdrProgram.Succeed("ls", $"latest:{_scratch.At("data")}", "--repo", repository);
        var all = BackupdrProgram.Succeed("ls", "latest", "--repo", repository);
        var json = BackupdrProgram.Succeed("ls", $"latest:{_scratch.At("data/deep")}", "--json", "--repo", repository);

        Assert.Equal([_scratch.At("data/deep")], folder.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.EndsWith($"{_scratch.At("data/deep")}\n{_scratch.At("data/deep/b.txt")}\n", all, StringComparison.Ordinal);
        using var node = JsonDocument.Parse(json.Split('\n')[1]);
        Assert.Equal("-rw-r--r--", node.RootElement.GetProperty("permissions").GetString());
        Assert.Equal(1, node.RootElement.GetProperty("size").GetInt32());
    }

    [Fact]
    public void Restics_variables_are_read_where_ours_are_not_set()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        var ours = new Dictionary<string, string>
        {
            ["BACKUPDR_REPOSITORY"] = repository,
            ["BACKUPDR_PASSWORD"] = BackupdrProgram.Password,
            ["RESTIC_REPOSITORY"] = _scratch.At("other"),
            ["RESTIC_PASSWORD"] = "other",
        };
        var restics = new Dictionary<string, string> { ["RESTIC_REPOSITORY"] = repository, ["RESTIC_PASSWORD"] = BackupdrProgram.Password };

        Assert.Equal(0, BackupdrProgram.Run(ours, ["snapshots"]).ExitCode);
        Assert.Equal(0, BackupdrProgram.Run(restics, ["snapshots"]).ExitCode);
    }

    [Fact]
    public void An_unreadable_file_is_named_and_the_rest_is_kept()
    {
        var repository = BackupdrProgram.NewRepository(_scratch);
        _scratch.File("data/good.txt", "good");
        File.SetUnixFileMode(_scratch.File("data/secret.txt", "secret"), UnixFileMode.None);

        var result = BackupdrProgram.RunWithoutOverride("backup", "--repo", repository, _scratch.At("data"));

        Assert.Equal(3, result.ExitCode);
        Assert.Contains($"{_scratch.At("data/secret.txt")}: ", result.Errors, StringComparison.Ordinal);
        Assert.Contains("Permission denied", result.Errors, StringComparison.Ordinal);
        Assert.Contains("1 entry is missing", result.Output, StringComparison.Ordinal);
        Restic(repository).Check();
        Assert.Equal("good", File.ReadAllText(Restored(repository) + _scratch.At("data/good.txt")));
    }

    [Fact]
    public void A_full_disk_ends_the_backup_and_leaves_a_sound_repository()
    {
        using var disk = Mount.Memory(_scratch.At("disk"), "size=8m");
        var repository = Path.Combine(disk.Path, "repository");
        BackupdrProgram.Succeed("repo", "init", "--repo", repository);
        File.WriteAllBytes(_scratch.At("large"), RandomNumberGenerator.GetBytes(24 << 20));

        var result = BackupdrProgram.Run("backup", "--repo", repository, _scratch.At("large"));

        Assert.Equal(1, result.ExitCode);
        Assert.Contains("No space left on device", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(BackupdrProgram.Files(repository), file => file.Contains("-tmp-", StringComparison.Ordinal));
        Assert.Equal("[]", BackupdrProgram.Succeed("snapshots", "--json", "--repo", repository).Trim());
        Restic(repository).Succeed("check", "--no-lock", "--read-data");
    }

    string Restored(string repository)
    {
        BackupdrProgram.Succeed("restore", "latest", "--repo", repository, "--target", _scratch.At("out"));
        return _scratch.At("out");
    }
}
