using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;

namespace BackupDr.Scheduler.Tests.Runbooks.Bundles;

public sealed class MergeExecutionTests(SchedulerDatabases databases) : IClassFixture<SchedulerDatabases>
{
    const string Passphrase = "horse staple battery";
    static readonly CancellationToken NoStop = CancellationToken.None;

    /// <summary>What an execution from a bundle of this runbook would have written down: its one step was done.</summary>
    static async Task<string> Executed(TestNode node, Runbook runbook, ECDsa? signer = null)
    {
        var saved = await node.Get<SaveBundle>().Handle(TestNode.Admin, new SaveBundleRequest(runbook.Id, Passphrase), NoStop);
        return BundleLeft.Of(BundleFile.Read(Encoding.UTF8.GetBytes(saved.Text)), Passphrase, signer);
    }

    [Fact]
    public async Task What_a_bundle_left_is_taken_once_and_stands_in_history_evidence_and_audit()
    {
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("merged", Books.Step("start"));
        var text = await Executed(books.Node, runbook);
        Assert.Equal((1, TestNode.Admin.Name), ((await books.Show(runbook.Id)).Bundle!.Version, (await books.Show(runbook.Id)).Bundle!.By));

        var merged = await Merge(books, text);
        Assert.Equal((true, 1), (merged.IsNew, merged.Events));
        Assert.Equal((false, 1), ((await Merge(books, text)).IsNew, (await Merge(books, text)).Events));
        var view = await books.Show(merged.Execution);
        Assert.Equal((ExecutionPhase.Ended, ExecutionOutcome.Succeeded, "bob", "all is gone"),
            (view.State.Phase, view.State.Outcome, view.Summary.By, view.Summary.Why));
        Assert.NotNull(view.Summary.Bundle);
        Assert.Equal(2, (await books.Events(merged.Execution)).Count + 1);   // the begin is listed with -1 only
        Assert.Equal(1, await books.Node.Db.Scalar<long>("select count(*) from evidence where body like $1",
            [$"%{merged.Execution}%bob answered for it%"], NoStop));
        Assert.Equal(1, await books.Node.Db.Scalar<long>("select count(*) from audit where action = 'execution.merge'", [], NoStop));
    }

    [Fact]
    public async Task What_was_altered_is_not_over_or_is_of_another_installation_is_refused_and_a_version_that_was_lost_comes_back()
    {
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await using var books = await Books.Start(databases);
        var runbook = await books.Make("refused", Books.Step("start"));
        var text = await Executed(books.Node, runbook);

        var altered = await Assert.ThrowsAsync<ConflictException>(() => Merge(books, text.Replace("It was done.", "It was gone.",
            StringComparison.Ordinal)));
        Assert.Equal("bundle.altered", altered.Code);
        Assert.Contains("line 4:", altered.Message, StringComparison.Ordinal);
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("bundle.unfinished", (await Assert.ThrowsAsync<ConflictException>(() => Merge(books,
            string.Concat(lines[..^1].Select(line => line + "\n"))))).Code);
        var foreign = await Executed(books.Node, runbook, other);
        Assert.Equal("bundle.foreign", (await Assert.ThrowsAsync<ConflictException>(() => Merge(books, foreign))).Code);
        Assert.Empty((await books.Show(runbook.Id)).Open);

        // As after a rebuild from an export of before this version.
        await books.Node.Db.Execute("delete from runbook_version where runbook_id = $1", [runbook.Id], NoStop);
        Assert.True((await Merge(books, text)).IsNew);
        Assert.Equal(1, (await books.Show(runbook.Id)).Version);
    }

    static Task<ExecutionMerged> Merge(Books books, string text)
        => books.Get<MergeExecution>().Handle(TestNode.Admin, new MergeExecutionRequest(text), NoStop);
}
