using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.TestKit;

namespace BackupDr.SystemTests;

/// <summary>One command brings the whole service up; nothing that is taken away in between stays broken.</summary>
public sealed class UpTests
{
    const int LargeFiles = 6, LargeFileBytes = 96 << 20;   // random, so that the backup takes seconds on any machine

    [Fact]
    public async Task One_command_protects_a_folder_proves_it_and_stock_restic_agrees()
    {
        await using var service = new Service();
        var source = SmallTree(service);

        service.Start("--protect", source, "--once");
        var outcome = await service.Outcome();
        var (exitCode, errors) = await service.End();

        Assert.True(exitCode == 0, errors);
        Assert.Equal("Proven", outcome.GetProperty("proof").GetProperty("result").GetString());
        Assert.Equal(3, outcome.GetProperty("files").GetInt64());
        Assert.Equal(3, outcome.GetProperty("proof").GetProperty("filesCompared").GetInt64());
        Assert.True(outcome.GetProperty("addedBytes").GetInt64() > 0);
        Assert.Equal($"http://127.0.0.1:{service.Port}/", outcome.GetProperty("consoleUrl").GetString());
        var restic = service.Restic(outcome);
        restic.Check();
        Assert.Equal(outcome.GetProperty("snapshotId").GetString(), Assert.Single(restic.Snapshots()).GetProperty("id").GetString());
        restic.Succeed("restore", "latest", "--target", service.At("restored"));
        Tool.Succeed("diff", "-r", "--no-dereference", source, service.At("restored") + source);
        // Nothing runs any more: the drill's evidence is believed from its file alone.
        var evidence = outcome.GetProperty("evidence");
        var file = evidence.GetProperty("file").GetString()!;
        Tool.Succeed(PublishedProgram.Path, "evidence", "verify", file, "--fingerprint", evidence.GetProperty("fingerprint").GetString()!);
        using var line = JsonDocument.Parse(File.ReadLines(file).ElementAt(1));
        using var body = JsonDocument.Parse(line.RootElement.GetProperty("record").GetProperty("body").GetString()!);
        Assert.Equal("Proven", body.RootElement.GetProperty("result").GetString());
        Assert.Equal(2, body.RootElement.GetProperty("steps").GetArrayLength());
        Assert.Equal("yes", body.RootElement.GetProperty("rto").GetProperty("met").GetString());
        File.WriteAllText(file, File.ReadAllText(file).Replace("Proven", "Failed", StringComparison.Ordinal));
        Assert.Equal(21, Tool.Run(PublishedProgram.Path, ["evidence", "verify", file]).ExitCode);
    }

    [Fact]
    public async Task After_everything_was_killed_in_a_first_backup_the_same_command_ends_complete()
    {
        await using var service = new Service();
        var source = LargeTree(service);
        service.Start("--protect", source, "--once");
        await service.Until(() => Task.FromResult(service.Packs() >= 4), "the backup is under way");
        await service.KillEverything();
        Assert.DoesNotContain(Directory.EnumerateFiles(service.Repositories, "*", SearchOption.AllDirectories), file =>
            file.Contains("/snapshots/", StringComparison.Ordinal));

        service.Start("--protect", source, "--once");
        var outcome = await service.Outcome();
        var (exitCode, errors) = await service.End();

        Assert.True(exitCode == 0, errors);
        Assert.Equal("Proven", outcome.GetProperty("proof").GetProperty("result").GetString());
        Assert.Equal(LargeFiles, outcome.GetProperty("files").GetInt64());
        service.Restic(outcome).Check();
    }

    [Fact]
    public async Task A_backup_whose_agent_was_killed_is_leased_again_and_completes()
    {
        await using var service = new Service();
        var source = LargeTree(service);
        service.Start("--protect", source);
        await service.Until(() => Task.FromResult(service.Packs() >= 4), "the backup is under way");

        service.KillAgent();

        var outcome = await service.Outcome();
        Assert.Equal("Proven", outcome.GetProperty("proof").GetProperty("result").GetString());
        using var api = service.Api();
        var item = Assert.Single(await api.Items(CancellationToken.None));
        var backup = Assert.Single((await api.Runs(item.Id, CancellationToken.None)).Runs, run => run.Kind == JobKind.Backup);
        Assert.Equal(RunState.Complete, backup.State);
        Assert.Equal(2, backup.Epoch);
        Assert.Equal(0, await service.Stop());
        service.Restic(outcome).Check();
    }

    [Fact]
    public async Task A_second_start_goes_on_with_the_same_policy_and_a_third_beside_it_is_refused()
    {
        await using var service = new Service();
        var source = SmallTree(service);
        service.Start("--protect", source, "--once");
        var first = await service.Outcome();
        await service.End();
        service.Start("--protect", source);
        var second = await service.Outcome();

        var beside = Tool.Run(PublishedProgram.Path, ["up", "--data", service.Data, "--no-browser"]);

        Assert.Equal(first.GetProperty("repository").GetString(), second.GetProperty("repository").GetString());
        Assert.Equal("Proven", second.GetProperty("proof").GetProperty("result").GetString());
        Assert.True(first.TryGetProperty("oneTimePassword", out _));
        Assert.False(second.TryGetProperty("oneTimePassword", out _));
        Assert.Equal(1, beside.ExitCode);
        Assert.Contains("runs already", beside.Errors, StringComparison.Ordinal);
        var begun = Stopwatch.GetTimestamp();
        Assert.Equal(0, await service.Stop());
        Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromSeconds(60));
    }

    static string SmallTree(Service service)
    {
        var source = service.Folder("source/inner");
        File.WriteAllText(Path.Combine(source, "one"), "one\n");
        File.WriteAllBytes(Path.Combine(source, "two"), RandomNumberGenerator.GetBytes(300_000));
        File.WriteAllText(Path.Combine(source, "empty"), "");
        File.CreateSymbolicLink(Path.Combine(source, "link"), "one");
        return service.At("source");
    }

    static string LargeTree(Service service)
    {
        var source = service.Folder("source");
        for (var number = 0; number < LargeFiles; number++) File.WriteAllBytes(Path.Combine(source, $"file-{number}"),
            RandomNumberGenerator.GetBytes(LargeFileBytes));
        return source;
    }
}
