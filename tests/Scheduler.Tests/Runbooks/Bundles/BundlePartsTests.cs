using System.Security.Cryptography;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks.Bundles;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Runbooks.Bundles;

/// <summary>What stands around an execution from a bundle: answers, reports of other hosts, and who else is at it.</summary>
public sealed class BundlePartsTests : IDisposable
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    readonly ScratchFolder _scratch = new();
    readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    [Theory]
    [InlineData("retry db", ExecutionEventKind.RetryAsked, "db", null, "ann", null)]
    [InlineData("skip db it is not needed", ExecutionEventKind.SkipAsked, "db", "it is not needed", "ann", null)]
    [InlineData("byhand db @bob it answers", ExecutionEventKind.ByHandSaid, "db", "it answers", "ann", "bob")]
    [InlineData("yes go", ExecutionEventKind.Approved, "go", null, "ann", null)]
    [InlineData("yes go @bob", ExecutionEventKind.Approved, "go", null, "bob", null)]
    [InlineData("no go not yet", ExecutionEventKind.Refused, "go", "not yet", "ann", null)]
    [InlineData("fail db the host is gone", ExecutionEventKind.Reported, "db", "the host is gone", "ann", null)]
    [InlineData("stop all is well again", ExecutionEventKind.StopAsked, null, "all is well again", "ann", null)]
    [InlineData("rollback", ExecutionEventKind.RollBackAsked, null, null, "ann", null)]
    [InlineData("  commit ", ExecutionEventKind.CommitAsked, null, null, "ann", null)]
    public void What_is_typed_is_read(string line, ExecutionEventKind kind, string? step, string? text, string by, string? second)
    {
        var answer = BundleScreen.Read(line, "ann", out var problem);
        Assert.Null(problem);
        Assert.Equal((kind, step, text, by, second), (answer!.Kind, answer.Step, answer.Text, answer.By, answer.Second));
    }

    [Theory]
    [InlineData("retry")]
    [InlineData("skip db")]
    [InlineData("go on")]
    public void What_says_too_little_is_not_understood(string line)
    {
        Assert.Null(BundleScreen.Read(line, "ann", out var problem));
        Assert.Contains("Not understood", problem, StringComparison.Ordinal);
    }

    static BundleOrder Order() => new(HostId.Parse("host_0193f0a0000070008000000000000001"), "db-b", new HostStep
    {
        Key = "exec_1/promote/2",
        Timeout = TimeSpan.FromMinutes(1),
        Service = new HostUnit("shop.service", ServiceVerb.Start),
    });

    static string Report(ECDsa key, string host = "db-b", string activity = "exec_1/promote/2")
    {
        var report = new BundleReport(activity, host, JsonSerializer.Serialize(new HostStepReport
        {
            State = HostStepState.Done,
            Text = "It runs.",
        }, BundleJson.Default.HostStepReport), "");
        return Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(report with
        {
            Signature = Convert.ToBase64String(EvidenceSignature.Sign(key, report.Hash)),
        }, BundleJson.Default.BundleReport));
    }

    [Theory, InlineData(RestoreWhich.Newest, true), InlineData(RestoreWhich.EndOfLog, true), InlineData(RestoreWhich.NewestProven, false)]
    public void What_came_after_the_bundle_was_made_is_restored_unless_a_proven_point_is_wanted(RestoreWhich which, bool isNewest)
    {
        var step = new RestoreStep { Item = ItemId.New(TimeProvider.System), Point = which };
        Assert.Equal(isNewest ? $"backupdr.item={step.Item}" : null, BundleRestoreStep.NewestTag(step));
    }

    [Fact]
    public async Task A_report_of_another_host_counts_where_the_bundles_key_signed_it_and_somebody_waits_for_it()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var told = new List<string>();
        var desk = new ReportDesk(_key, _scratch.Path, told.Add);
        Assert.Contains("Nobody waits", desk.Take(Report(_key)), StringComparison.Ordinal);
        var waiting = desk.Wait(Order(), NoStop);
        while (told.Count == 0) await Task.Yield();

        Assert.Contains("order-promote", Assert.Single(told), StringComparison.Ordinal);
        Assert.Contains("not signed", desk.Take(Report(other)), StringComparison.Ordinal);
        Assert.Contains("Nobody waits", desk.Take(Report(_key, host: "db-a")), StringComparison.Ordinal);
        Assert.Contains("Nobody waits", desk.Take(Report(_key, activity: "exec_1/promote/1")), StringComparison.Ordinal);
        Assert.Contains("no report", desk.Take("not base64"), StringComparison.Ordinal);
        Assert.Null(desk.Take(Report(_key)));
        var report = await waiting;
        Assert.Equal(HostStepState.Done, report.State);
        Assert.StartsWith("It runs.", report.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_comes_second_is_told_who_was_first_until_that_one_is_over_or_given_up()
    {
        var place = new RepositoryPlace { Location = LocationId.New(TimeProvider.System), Url = _scratch.Folder("witness") };
        var head = new BundleHead
        {
            Format = BundleHead.TheFormat,
            Id = new string('a', 32),
            MadeAt = default,
            MadeBy = "ann",
            Installation = Guid.Parse("0193f0a0-0000-7000-8000-000000000001"),
            PublicKey = "",
            Fingerprint = "",
            Key = "",
            Runbook = RunbookId.Parse("book_0193f0a0000070008000000000000001"),
            Name = "shop",
            Version = 1,
            Hash = "",
        };
        var claim = new BundleClaim(head, [place], TimeProvider.System);

        Assert.Equal((1, 1), Counts(await claim.Take("exec_1", "by ann on a", null, NoStop)));
        Assert.Equal((1, 1), Counts(await claim.Take("exec_1", "by ann on a", null, NoStop)));   // gone on with
        var refused = await Assert.ThrowsAsync<ConflictException>(() => claim.Take("exec_2", "by bob on b", null, NoStop));
        Assert.Equal("bundle.claimed", refused.Code);
        Assert.Contains("exec_1 by ann on a", refused.Message, StringComparison.Ordinal);
        Assert.Equal((1, 1), Counts(await claim.Take("exec_2", "by bob on b", "exec_1", NoStop)));
        await claim.Release("exec_1", NoStop);   // of one that was given up: it ends nobody else's
        Assert.Equal("bundle.claimed", (await Assert.ThrowsAsync<ConflictException>(() => claim.Take("exec_3", "by eve on c", null,
            NoStop))).Code);
        await claim.Release("exec_2", NoStop);
        Assert.Equal((1, 1), Counts(await claim.Take("exec_3", "by eve on c", null, NoStop)));
        Assert.Equal((0, 0), Counts(await new BundleClaim(head, [], TimeProvider.System).Take("exec_4", "by eve on c", null, NoStop)));
    }

    static (int, int) Counts((int Noted, int All, string Words) taken) => (taken.Noted, taken.All);

    public void Dispose()
    {
        _key.Dispose();
        _scratch.Dispose();
    }
}
