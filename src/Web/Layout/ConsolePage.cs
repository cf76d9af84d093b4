using BackupDr.Contracts;
using BackupDr.Scheduler.Access;
using BackupDr.Web.Parts;
using Microsoft.AspNetCore.Components;

namespace BackupDr.Web.Layout;

/// <summary>What every page shares: who asks, what time it is, and what happens when a handler refuses.</summary>
public abstract class ConsolePage : ComponentBase
{
    [CascadingParameter] public HttpContext Http { get; set; } = null!;
    [Inject] protected NavigationManager Navigation { get; set; } = null!;
    [Inject] protected TimeProvider Clock { get; set; } = null!;

    /// <summary>The signed-in person; the middleware lets nobody else come here.</summary>
    protected Caller Caller => Http.Caller();

    /// <summary>Ends when the browser went away.</summary>
    protected CancellationToken Gone => Http.RequestAborted;

    /// <summary>Why the page could not be loaded.</summary>
    protected Failure? Failure { get; private set; }

    /// <summary>Why the action was refused.</summary>
    protected Failure? Remark { get; set; }

    protected DateTimeOffset Now => Clock.GetUtcNow();

    /// <summary>Reads what the page shows.</summary>
    protected virtual Task Load() => Task.CompletedTask;

    /// <summary>Loads before anything is rendered, so that no page has to cope with half of its state.</summary>
    public sealed override async Task SetParametersAsync(ParameterView parameters)
    {
        parameters.SetParameterProperties(this);
        try { await Load(); }
        catch (Exception e) when (Failure.Shown(e) is { } failure)
        {
            Answer(Failure = failure);
            await Note(e);
        }
        await base.SetParametersAsync(ParameterView.Empty);
    }

    /// <summary>Sets the status at the last moment: the framework throws a page away that says 404 while it is made.</summary>
    void Answer(Failure failure) => Http.Response.OnStarting(() =>
    {
        Http.Response.StatusCode = failure.Status;
        return Task.CompletedTask;
    });

    /// <summary>Whether the person has a right at all, so that a page can say beforehand what it cannot do.</summary>
    protected bool May(Right right) => Caller.May(right);

    /// <summary>What was refused is written down, as it is for the API.</summary>
    Task Note(Exception e) => e is not DeniedException denied ? Task.CompletedTask
        : Http.RequestServices.GetRequiredService<Refusals>().Note(Caller, Http.Request.Path, denied.Message, Gone);

    /// <summary>Does what a form asks. A refusal is shown on the page, which stays as it is.</summary>
    protected async Task Do(Func<Task> action)
    {
        if (Failure is not null) return;
        try { await action(); }
        catch (Exception e) when (Failure.Shown(e) is { } failure)
        {
            Answer(Remark = failure);
            await Note(e);
        }
    }

    /// <summary>Does what a form asks and goes on to a page, so that reloading it repeats nothing.</summary>
    protected async Task DoThenGo(Func<Task> action, string url)
    {
        var done = false;
        await Do(async () => { await action(); done = true; });
        if (done) Navigation.NavigateTo(url);
    }
}
