using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace BackupDr.Web.Tests.Fixtures;

/// <summary>One visitor's page. Tests end with <see cref="IsClean"/>.</summary>
public sealed class Visit : IAsyncDisposable
{
    // Pictures are for people and cost most of the time that a test takes: they are taken when somebody wants to look.
    static readonly string? Screenshots = Environment.GetEnvironmentVariable("BACKUPDR_SCREENSHOTS") is { Length: > 0 }
        ? Directory.CreateDirectory(Path.Combine(FindRoot(), "artifacts", "screenshots")).FullName : null;

    const int PatienceMs = 120_000;
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(25);

    static readonly LocatorWaitForOptions Attached = new() { State = WaitForSelectorState.Attached };

    readonly IBrowserContext _context;
    readonly bool _script;
    readonly List<string> _complaints = [];

    public Visit(IBrowserContext context, IPage page, bool script)
    {
        (_context, Page, _script) = (context, page, script);
        page.SetDefaultTimeout(PatienceMs);
        page.Console += (_, message) => { if (message.Type == "error") _complaints.Add($"{page.Url}: {message.Text}"); };
        page.PageError += (_, error) => _complaints.Add($"{page.Url}: {error}");
        page.Response += (_, response) => { if (response.Status >= 500) _complaints.Add($"{response.Url}: {response.Status}"); };
    }

    /// <summary>The page itself, for locators by role and name.</summary>
    public IPage Page { get; }

    /// <summary>How often the visitor clicked; a text that is typed counts as one.</summary>
    public int Clicks { get; set; }

    /// <summary>Clicks on something.</summary>
    public Task Click(ILocator what)
    {
        Clicks++;
        return what.ClickAsync();
    }

    /// <summary>Opens an address and waits until the page says that it is ready.</summary>
    public async Task Go(string path)
    {
        await Page.GotoAsync(path);
        await Ready();
    }

    /// <summary>Waits until the script is attached; without the script a loaded page is ready.</summary>
    public async Task Ready()
    {
        if (_script) await Page.WaitForSelectorAsync("html[data-ready]", new PageWaitForSelectorOptions
        {
            State = WaitForSelectorState.Attached
        });
    }

    /// <summary>Waits until the address is one of these: ** stands for anything, * for anything without a slash.</summary>
    public Task Arrives(string pattern)
    {
        var fits = new Regex($"^{Regex.Escape(pattern).Replace(@"\*\*", ".*", StringComparison.Ordinal)
            .Replace(@"\*", "[^/]*", StringComparison.Ordinal)}$", RegexOptions.CultureInvariant);
        return Arrives(url => fits.IsMatch(url));
    }

    /// <summary>Waits until the address fits.</summary>
    /// <remarks>By looking, not by an event of the page's loading: where the answer to a form leads on, the event may have been before, or
    /// belong to the page before, and is awaited in vain.</remarks>
    public async Task Arrives(Func<string, bool> fits)
    {
        for (var begun = Stopwatch.GetTimestamp(); !fits(Page.Url); await Task.Delay(LookEvery))
            Assert.True(Stopwatch.GetElapsedTime(begun).TotalMilliseconds < PatienceMs, $"still at {Page.Url}");
    }

    /// <summary>Signs in, as the administrator unless told otherwise; the first time with the one-time password, which has to be
    /// changed.</summary>
    public async Task SignIn(bool first = false, string oneTimePassword = ConsoleNode.OneTimePassword, string name = "admin")
    {
        await Go("/sign-in");
        await Fill("Name", name);
        await Fill("Password", first ? oneTimePassword : ConsoleNode.Password);
        await Press("Sign in");
        if (first)
        {
            await Sees("Choose a password");
            await Fill("Present password", oneTimePassword);
            await Fill("New password", ConsoleNode.Password);
            await Fill("New password again", ConsoleNode.Password);
            await Press("Change password");
        }
        await Sees("Home");
        await Ready();
    }

    /// <summary>Presses a button by its words.</summary>
    public Task Press(string name, bool exact = true)
        => Click(Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = exact }).First);

    /// <summary>Follows a link by its words.</summary>
    public Task Follow(string name, bool exact = true)
        => Click(Page.GetByRole(AriaRole.Link, new PageGetByRoleOptions { Name = name, Exact = exact }).First);

    /// <summary>Types into the field of a label.</summary>
    public Task Fill(string label, string text)
    {
        Clicks++;
        return Page.GetByLabel(label, new PageGetByLabelOptions { Exact = true }).FillAsync(text);
    }

    /// <summary>Waits for a heading.</summary>
    public Task Sees(string heading)
        => Page.GetByRole(AriaRole.Heading, new PageGetByRoleOptions { Name = heading }).First.WaitForAsync(Attached);

    /// <summary>Waits for a text.</summary>
    public Task Reads(string text) => Page.GetByText(text).First.WaitForAsync();

    /// <summary>Checks that nothing sticks out of the page, on a usual window and on a small one.</summary>
    /// <remarks>With BACKUPDR_SCREENSHOTS=1 it also takes a picture in each <see cref="Look"/>, into artifacts/screenshots.</remarks>
    public async Task Shot(string name)
    {
        foreach (var look in Screenshots is null ? Look.All.Where(look => !look.Dark) : Look.All)
        {
            await Page.SetViewportSizeAsync(look.Window.Width, look.Window.Height);
            if (Screenshots is not null) await Picture(name, look);
            if (!_script) continue;
            var overflow = await Page.EvaluateAsync<int>(
                "() => document.documentElement.scrollWidth - document.documentElement.clientWidth");
            Assert.True(overflow <= 0, $"{name} is {overflow} px wider than a window of {look.Width} px.");
        }
    }

    /// <summary>Tables of which a part, and with it a button, can only be seen by scrolling; a map of days may have to be.</summary>
    public async Task<IReadOnlyList<string>> CutTables()
    {
        List<string> found = [];
        foreach (var look in Look.All.Where(look => !look.Dark))
        {
            await Page.SetViewportSizeAsync(look.Window.Width, look.Window.Height);
            found.AddRange((await Page.EvaluateAsync<string[]>("""
                () => [...document.querySelectorAll('.table:not(.heat-scroll)')]
                    .filter(one => one.scrollWidth > one.clientWidth && !one.closest('details:not([open])'))
                    .map(one => `${one.getAttribute('aria-label')} by ${one.scrollWidth - one.clientWidth} px`)
                """)).Select(one => $"cut at {look.Width} px: {one}"));
        }
        return found;
    }

    async Task Picture(string name, Look look)
    {
        await Page.EmulateMediaAsync(new PageEmulateMediaOptions { ColorScheme = look.Dark ? ColorScheme.Dark : ColorScheme.Light });
        var file = $"{name}-{look.Width}{(look.Dark ? "-dark" : "")}{(_script ? "" : "-basic")}.png";
        await Page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(Screenshots!, file), FullPage = true });
    }

    /// <summary>The browser may complain about this visit's next page, for example because it is a 404.</summary>
    public void Forgive(string part) => _complaints.RemoveAll(complaint => complaint.Contains(part, StringComparison.Ordinal));

    /// <summary>The browser had nothing to complain about: no script error, no refused style, no failed request.</summary>
    public void IsClean() => Assert.True(_complaints.Count == 0, string.Join('\n', _complaints));

    public ValueTask DisposeAsync() => _context.DisposeAsync();

    static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "BackupDr.sln"))) folder = folder.Parent;
        return folder?.FullName ?? AppContext.BaseDirectory;
    }
}
