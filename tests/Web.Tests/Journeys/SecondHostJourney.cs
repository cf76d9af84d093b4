using System.Diagnostics;
using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests.Journeys;

/// <summary>
/// A person with a browser and a shell on another machine: the line of the console joins it, a policy made there protects it, and a
/// restore started there brings a folder back. Everything is the published service; the other machine has neither .NET nor this checkout.
/// </summary>
[Collection(Browser.WholeService)]
public sealed class SecondHostJourney(Browser browser)
{
    static readonly TimeSpan AppearsWithin = TimeSpan.FromSeconds(10);

    // Proofs take as long as the machine needs; the page changes by itself when they are there.
    static readonly LocatorWaitForOptions Patient = new() { Timeout = 120_000 };

    [Fact]
    public async Task A_host_joins_is_protected_and_gets_its_folder_back_all_from_the_console()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        Tool.Need("curl", "curl");
        var ct = TestContext.Current.CancellationToken;
        await using var service = new Service();
        var outcome = await service.StartSmall();
        await using var host = await IsolatedHost.Start("second", [Service.Checkout(), "/usr/share/dotnet", "/usr/lib/dotnet"],
            ["/opt", "/srv", "/run", "/var/log", "/var/lib"], ct);
        await Run(host, "mkdir -p /srv/data/inner && echo precious >/srv/data/inner/file && ln -s file /srv/data/inner/link", ct);
        await using var visit = await browser.Visit(service.Console);
        await visit.SignIn(first: true, outcome.GetProperty("oneTimePassword").GetString()!);
        await visit.Shot("journey-1-home");

        await Join(visit, service, host, ct);
        await Protect(visit);
        await Run(host, "rm -r /srv/data/inner", ct);
        var target = await Restore(visit);

        Assert.Equal("precious\nfile\n", await Run(host, $"cat '{target}/srv/data/inner/file'; readlink '{target}/srv/data/inner/link'",
            ct));
        visit.IsClean();
    }

    static async Task Join(Visit visit, Service service, IsolatedHost host, CancellationToken ct)
    {
        await visit.Go("/agents");
        await visit.Follow("Add host");
        await visit.Page.GetByText("The host reaches this console under another address").ClickAsync();
        await visit.Fill("Address of the agents' port", $"https://{host.OuterAddress}:{service.Port + 1}");
        await visit.Press("Make the command");
        var line = await visit.Page.Locator("#command").TextContentAsync() ?? "";
        await visit.Shot("journey-2-command");

        var begun = Stopwatch.GetTimestamp();
        // The only change to the copied line is the one that the page names for machines without systemd.
        await Run(host, line.Replace("| sudo sh", "| sh -s -- --no-systemd", StringComparison.Ordinal), ct);
        await visit.Page.GetByText("second is connected").WaitForAsync(Patient);
        var took = Stopwatch.GetElapsedTime(begun);
        TestContext.Current.TestOutputHelper?.WriteLine($"From the line to the host on the page: {took.TotalSeconds:0.0} s "
            + $"(the aim on an idle machine is {AppearsWithin.TotalSeconds} s)");
        await visit.Shot("journey-3-joined");
    }

    static async Task Protect(Visit visit)
    {
        await visit.Follow("Protect a folder of second");
        await visit.Press("srv");
        await visit.Press("Protect /srv/data");
        await visit.Page.Locator(".chosen").WaitForAsync();
        await visit.Shot("journey-4-policy");
        await visit.Press("Create policy");
        await visit.Sees("What it protects");
        await visit.Page.Locator("main a[href^='/items/']").First.ClickAsync();
        await visit.Page.Locator("main .numbers a[href^='/points/']").First.WaitForAsync(Patient);   // the newest proven point
        await visit.Shot("journey-5-proven");
    }

    static async Task<string> Restore(Visit visit)
    {
        await visit.Page.Locator("main a.primary").First.ClickAsync();
        await visit.Arrives("**/restore/new?*");
        await visit.Ready();
        var target = await visit.Page.Locator("#target").InputValueAsync();
        await visit.Shot("journey-6-restore");
        await visit.Page.Locator("main button.primary").ClickAsync();
        await visit.Arrives("**/runs/*");
        await visit.Page.Locator("#title").GetByText("Complete").WaitForAsync(Patient);
        await visit.Reads("Restored to");
        await visit.Shot("journey-7-restored");
        return target;
    }

    static async Task<string> Run(IsolatedHost host, string line, CancellationToken ct)
    {
        var (exitCode, output) = await host.Shell(line, ct);
        Assert.True(exitCode == 0, output);
        return output;
    }
}
