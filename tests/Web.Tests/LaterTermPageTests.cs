using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;

namespace BackupDr.Web.Tests;

[Collection(Browser.OneVisitor)]
public sealed class LaterTermPageTests(PostgresServer server, Browser browser)
{
    [Fact]
    public async Task An_old_control_plane_says_on_each_page_that_it_is_one_and_what_to_do_and_changes_nothing()
    {
        await using var node = await ConsoleNode.Start(server);
        await node.Get<Postgres>().Execute("update control_plane set later_term = 2, later_term_seen_at = clock(), "
            + "later_term_seen_in = 'the location Far away in the second data centre, on the third floor'", [], CancellationToken.None);
        await node.Get<TermFence>().Read(CancellationToken.None);
        await using var visit = await browser.Visit(node.Url, script: false);
        await visit.SignIn(first: true);

        foreach (var page in (string[])["/", "/items", "/storage", "/nodes"])
        {
            await visit.Go(page);
            await visit.Reads("This control plane is of term 1, and term 2 of this installation has begun");
            await visit.Reads("stop the nodes of this one");
            await visit.Shot($"later-term{page.Replace('/', '-')}");
        }
        await visit.Press($"Drain {Environment.MachineName}");
        await visit.Reads("Backups go on from the newer one.");
        await visit.Shot("later-term-refused");
        visit.Forgive("409");
        visit.IsClean();
    }
}
