using BackupDr.TestKit;
using BackupDr.Web.Tests.Fixtures;
using Microsoft.Playwright;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(Browser))]

namespace BackupDr.Web.Tests.Fixtures;

/// <summary>The distribution's Chromium, started once; every visit has its own cookies.</summary>
/// <remarks>Where it is not installed tests that ask for it are skipped; with CI=true they fail.</remarks>
public sealed class Browser : IAsyncDisposable
{
    /// <summary>The collection of all that visit: a node, its agents and a page at once are what a small machine can do in time.</summary>
    public const string OneVisitor = "one visitor at a time";

    /// <summary>The collection of those who visit the whole published service, and mostly wait for it: beside the others.</summary>
    public const string WholeService = "one visitor of the whole service";

    static readonly string[] Arguments =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
    ];

    readonly SemaphoreSlim _once = new(1, 1);
    IPlaywright? _playwright;
    IBrowser? _browser;

    /// <summary>A new visitor of a console.</summary>
    /// <param name="console">Where it is.</param>
    /// <param name="script">Whether its browser runs scripts.</param>
    public async Task<Visit> Visit(Uri console, bool script = true)
    {
        var browser = await Start();
        var context = await browser.NewContextAsync(new BrowserNewContextOptions
        {
            BaseURL = console.ToString(),
            JavaScriptEnabled = script,
            ViewportSize = Look.Usual.Window,
            ReducedMotion = ReducedMotion.Reduce,
        });
        return new Visit(context, await context.NewPageAsync(), script);
    }

    async Task<IBrowser> Start()
    {
        await _once.WaitAsync();
        try
        {
            if (_browser is not null) return _browser;
            var program = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);
            if (program is null)
            {
                if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail("The package chromium is not installed.");
                Assert.Skip("needs the package chromium");
            }
            _playwright = await Playwright.CreateAsync();
            return _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
            {
                ExecutablePath = program,
                Args = Arguments
            });
        }
        finally
        {
            _once.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null) await _browser.DisposeAsync();
        _playwright?.Dispose();
        _once.Dispose();
    }
}

/// <summary>How a visitor looks at the console.</summary>
public sealed record Look(bool Dark, int Width)
{
    /// <summary>Light, on a usual window: how the tests work.</summary>
    public static Look Usual { get; } = new(Dark: false, Width: 1440);

    /// <summary>All in which pages have to be whole, the usual one last.</summary>
    public static IReadOnlyList<Look> All { get; } = [new(true, 900), new(false, 900), new(true, 1440), Usual];

    /// <summary>Its size.</summary>
    public ViewportSize Window => new() { Width = Width, Height = 900 };
}
