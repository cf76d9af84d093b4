using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Runbooks;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Runbooks.Bundles;

/// <summary>Whether the newest bundle of a runbook is what one would be that is made now.</summary>
public sealed class BundleStandingTests(SchedulerDatabases databases)
{
    static readonly CancellationToken NoStop = CancellationToken.None;

    static readonly SaveStepSecretRequest Token = new() { Name = "token", Value = "one" };

    static StepSpec[] Steps(ItemId item) =>
    [
        Books.Step("files", kind: StepKind.RestoreFiles) with { Restore = new RestoreStep { Item = item } },
        Books.Step("start", "files"),
        Books.Step("call", "start", StepKind.Http) with
        {
            Http = new HttpSpec { Url = "http://127.0.0.1:9/", Method = "PUT", BearerSecret = "token" },
        },
    ];

    [Fact]
    public async Task A_bundle_is_old_once_anything_that_it_holds_was_changed_and_says_what_it_lacks()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, item) = await RestoreStepTests.Proven(fleet);
        var made = await fleet.Get<CreateRunbook>().Handle(TestNode.Admin, new CreateRunbookRequest
        {
            Name = "shop",
            Spec = new RunbookSpec { Steps = Steps(item.Id) },
        }, NoStop);
        var before = await Standing(fleet, made.Id);
        Assert.Null(before.Newest);
        Assert.Empty(before.Changes);
        Assert.Equal(["There is no stored secret 'token': the steps that name it fail.",
            "There is no object store where two machines could see each other: whoever executes the bundle answers for it that nobody "
            + "else does."], before.Lacks);

        (Func<Task> Change, string Says)[] changes =
        [
            (() => fleet.Get<SaveStepSecret>().Handle(TestNode.Admin, Token, NoStop),
                "The secret 'token' of its steps was changed."),
            (() => Sql(fleet, "update location set credentials_set_at = clock()"), "The place "),
            (() => Sql(fleet, "update host set joined_at = clock()"), "The host web-1 joined anew."),
            (() => Sql(fleet, "update recovery_point set received_at = clock()"), "is restored from a repository that it does not hold."),
            (() => fleet.Get<EditRunbook>().Handle(TestNode.Admin, new EditRunbookRequest(made.Id, "shop",
                new RunbookSpec { Steps = Steps(item.Id), To = "b" }), NoStop), "It is of version 1, and the runbook is at version 2."),
        ];
        foreach (var (change, says) in changes)
        {
            await Save(fleet, made.Id);
            Assert.Empty((await Standing(fleet, made.Id)).Changes);
            await change();
            Assert.Contains(says, Assert.Single((await Standing(fleet, made.Id)).Changes), StringComparison.Ordinal);
        }
        Assert.Equal(before.Lacks.Skip(1), (await Standing(fleet, made.Id)).Lacks);
    }

    [Fact]
    public async Task A_bundle_is_old_once_the_proven_point_that_it_restores_is_in_the_trash_or_gone()
    {
        await using var fleet = await Fleet.Start(databases);
        var (_, item) = await RestoreStepTests.Proven(fleet);
        foreach (var (which, trashed, gone) in ((RestoreWhich, string[], string[])[])
        [
            (RestoreWhich.Newest, [], []),   // it looks for the newest itself
            (RestoreWhich.NewestProven, [$"The recovery point of '{item.Name}' that it restores is in the trash."],
                [$"The recovery point of '{item.Name}' that it restores is gone."]),
        ])
        {
            var made = await fleet.Get<CreateRunbook>().Handle(TestNode.Admin, new CreateRunbookRequest
            {
                Name = $"{which}",
                Spec = new RunbookSpec
                {
                    Steps = [Books.Step("files", kind: StepKind.RestoreFiles) with
                    {
                        Restore = new RestoreStep { Item = item.Id, Point = which },
                    }],
                },
            }, NoStop);
            await Save(fleet, made.Id);
            Assert.Empty((await Standing(fleet, made.Id)).Changes);
            await Sql(fleet, "update recovery_point set trashed_at = clock(), trash_until = clock()");
            Assert.Equal(trashed, (await Standing(fleet, made.Id)).Changes);
            await Sql(fleet, "update recovery_point set trashed_at = null, trash_until = null, gone_at = clock()");
            Assert.Equal(gone, (await Standing(fleet, made.Id)).Changes);
            await Sql(fleet, "update recovery_point set gone_at = null");
        }
    }

    [Fact]
    public async Task A_runbook_that_executes_another_one_has_none_and_says_why()
    {
        await using var books = await Books.Start(databases);
        await books.Make("db", Books.Step("start"));
        var site = await books.Make("site", Books.Step("all", kind: StepKind.Runbook) with
        {
            Runbook = new ChildRunbookSpec { Name = "db" },
        });
        var standing = await books.Get<ShowBundle>().Handle(TestNode.Admin, new ShowBundleRequest(site.Id), NoStop);
        Assert.Contains("The step 'all' executes another runbook", standing.Refusal, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BadInputException>(() => books.Get<SaveBundle>().Handle(TestNode.Admin,
            new SaveBundleRequest(site.Id, "horse staple battery"), NoStop));
    }

    static Task<BundleStanding> Standing(Fleet fleet, RunbookId id)
        => fleet.Get<ShowBundle>().Handle(TestNode.Admin, new ShowBundleRequest(id), NoStop);

    static Task<SavedBundle> Save(Fleet fleet, RunbookId id)
        => fleet.Get<SaveBundle>().Handle(TestNode.Admin, new SaveBundleRequest(id, "horse staple battery"), NoStop);

    static Task Sql(Fleet fleet, string change) => fleet.Node.Db.Execute(change, [], NoStop);
}
