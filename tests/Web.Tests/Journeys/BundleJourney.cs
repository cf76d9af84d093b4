using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.Access.People;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Runbooks;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests.Journeys;

public sealed partial class RunbookJourneys
{
    const string Passphrase = "horse staple battery";

    static readonly StepSpec[] Asks = [new StepSpec { Name = "go", Kind = StepKind.Approval, Timeout = TimeSpan.FromHours(1) }];

    /// <summary>Without the script: the form is a plain one, and its answer a file.</summary>
    [Fact]
    public async Task A_bundle_is_saved_from_the_page_of_its_runbook_which_tells_when_it_is_old_and_what_was_carried_out_from_it()
    {
        var pat = await site.Person("pat", Role.Admin);
        var made = await site.Node.Get<CreateRunbook>().Handle(ConsoleNode.System, new CreateRunbookRequest
        {
            Name = "bundled",
            Spec = new RunbookSpec { Steps = Asks },
        }, default);
        await using var visit = await browser.Visit(site.Node.Url, script: false);
        await visit.SignIn(first: true, name: "pat");
        await visit.Go($"/runbooks/{made.Id}");
        await visit.Reads("None was made yet");
        await visit.Shot("runbook-bundle-none");
        await Save(visit, "horse staple batteru");
        await visit.Sees("The file could not be made");
        await visit.Reads("The two passphrases are not the same.");
        visit.Forgive("/bundle");   // the refusal is an error to the browser
        await visit.Shot("runbook-bundle-refused");
        await visit.Follow("Back");
        await visit.Arrives($"**/runbooks/{made.Id}");

        var download = await visit.Page.RunAndWaitForDownloadAsync(() => Save(visit, Passphrase));
        Assert.Equal("bundled-v1.bundle", download.SuggestedFilename);
        var bundle = BundleFile.Read(await File.ReadAllBytesAsync(await download.PathAsync(), TestContext.Current.CancellationToken));
        Assert.Equal("bundled", bundle.Head.Name);
        await visit.Go($"/runbooks/{made.Id}");
        await visit.Reads("The newest is up to date: version 1, made by pat");
        await visit.Shot("runbook-bundle-now");

        await Merged(visit, bundle);
        await site.Node.Get<EditRunbook>().Handle(ConsoleNode.System, new EditRunbookRequest(made.Id, "bundled", new RunbookSpec
        {
            Steps = [.. Asks, new StepSpec
            {
                Name = "call", Kind = StepKind.Http, Needs = ["go"], Timeout = TimeSpan.FromMinutes(1),
                Http = new HttpSpec { Url = "http://127.0.0.1:9/", Method = "PUT", BearerSecret = "balancer-of-the-other-site" },
            }],
        }), default);
        await visit.Go($"/runbooks/{made.Id}");
        await visit.Reads("It is of version 1, and the runbook is at version 2.");
        await visit.Reads("There is no stored secret 'balancer-of-the-other-site'");
        await visit.Shot("runbook-bundle-old");
        await Refused(visit, made.Id, pat.Id);
        await site.Node.Get<RemoveRunbook>().Handle(ConsoleNode.System, new RemoveRunbookRequest(made.Id), default);
        visit.IsClean();
    }

    static async Task Save(Visit visit, string again)
    {
        await visit.Fill("Passphrase", Passphrase);
        await visit.Fill("Passphrase again", again);
        await visit.Press("Save a bundle");
    }

    /// <summary>The execution, and its evidence, say that no node did it, who did, and who merged it.</summary>
    async Task Merged(Visit visit, Bundle bundle)
    {
        var merged = await site.Node.Get<MergeExecution>().Handle(ConsoleNode.System,
            new MergeExecutionRequest(BundleLeft.Of(bundle, Passphrase)), default);
        await visit.Go($"/executions/{merged.Execution}");
        await visit.Reads("begun by bob");
        await visit.Reads("a bundle, without a node, on db-b; merged by");
        await visit.Reads("bob answered for it");
        await visit.Shot("execution-from-bundle");
        await visit.Follow("Report");
        await visit.Sees("Who, where, what");
        await visit.Reads(bundle.Head.Id);
        await visit.Shot("evidence-from-bundle");
    }

    /// <summary>Whoever lost the right while the page was open is refused, which is written down; afterwards there is no form.</summary>
    async Task Refused(Visit visit, RunbookId made, UserId pat)
    {
        await site.Node.Get<SetUserRoles>().Handle(ConsoleNode.System,
            new SetUserRolesRequest([new RoleGrant(nameof(Role.Viewer))], pat), default);
        await Save(visit, Passphrase);
        await visit.Reads("access.denied");
        visit.Forgive("/bundle");
        Assert.Equal(1, await site.Node.Get<Postgres>().Scalar<long>("select count(*) from audit where action = 'access.refused' "
            + "and object like $1", [$"%{made}/bundle"], default));
        await visit.Follow("Back");
        await visit.Reads("The newest is old.");
        Assert.Equal(0, await visit.Page.Locator("#passphrase").CountAsync());
        await visit.Shot("runbook-bundle-viewer");
    }
}
