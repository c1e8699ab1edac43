// What the scripts share: their settings, their checks, and what they report.

// settings come from the test that starts the script.
export const settings = JSON.parse(process.env.SETTINGS)

const passed = []

// check runs one check. The first that fails ends the script with an error.
export async function check(name, f) {
  try {
    await f()
  } catch (error) {
    console.error(`${name}:`, error)
    process.exit(1)
  }
  passed.push(name)
}

// report tells the test which checks passed, so that none goes missing.
export function report() {
  console.log(JSON.stringify({ passed }))
}
